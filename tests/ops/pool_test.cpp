// Pooling, resizing, padding and the normalization of groups of channels.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>

#include <tapegrad/testing.h>

#include "ops/expect.h"

namespace tapegrad {
namespace {

Tensor image(const std::vector<double>& values, int64_t height, int64_t width) {
  return from_vector(values, {1, 1, height, width});
}

TEST(MaxPool2d, TakesTheLargestOfEachWindowAndTheFirstOfEquals) {
  Tensor x = image({1, 5, 5, 2, 3, 3, 3, 3, 0, 1, 1, 0}, 3, 4).set_requires_grad();
  Tape tape;
  const Tensor y = max_pool2d(x, 2, {.stride = 1});
  expect_near(y, {5, 5, 5, 3, 3, 3}, 0);
  tape.backward(y, {.gradient = image({1, 2, 4, 8, 16, 32}, 2, 3)});
  expect_near(x.grad(), {0, 3, 4, 0, 8, 16, 32, 0, 0, 0, 0, 0}, 0);
}

TEST(MaxPool2d, TreatsPaddingAsMinusInfinityAndLetsNanThrough) {
  Tensor x = image({-1, -2, NAN, -4, -INFINITY, -6}, 2, 3).set_requires_grad();
  Tape tape;
  const Tensor y = max_pool2d(x, {2, 2}, {.padding = 1});
  EXPECT_EQ(y.shape(), (Shape{1, 1, 2, 2}));
  const std::vector<double> got = y.to_vector<double>();
  EXPECT_EQ(got[0], -1);
  EXPECT_TRUE(std::isnan(got[1]));
  EXPECT_EQ(got[2], -4);
  EXPECT_EQ(got[3], -6);
  tape.backward(sum(y));
  expect_near(x.grad(), {1, 0, 1, 1, 0, 1}, 0);
}

TEST(MaxPool2d, OfMinusInfinityAloneSendsTheGradientToTheFirstPixel) {
  if (reference_mode()) GTEST_SKIP() << "the definition has pixels of padding";
  Tensor x = full({1, 1, 2, 2}, -INFINITY, {.dtype = float64}).set_requires_grad();
  Tape tape;
  tape.backward(max_pool2d(x, 2, {.stride = 1, .padding = 1}), {.gradient = ones({1, 1, 3, 3}, {.dtype = float64})});
  expect_near(x.grad(), {4, 2, 2, 1}, 0);
}

// Strides 1, 2 and 3 have loops of their own.
TEST(MaxPool2d, IsTheMaximumOverTheUnfoldedWindows) {
  for (int64_t stride : {1, 2, 3})
    for (int64_t padding : {0, 1})
      for (bool ceil_mode : {false, true}) {
        Tensor x = randn({3, 4, 17, 35}, {.requires_grad = true});
        const MaxPool2dOptions options{.stride = stride, .padding = padding, .ceil_mode = ceil_mode};
        Tape tape;
        const Tensor y = max_pool2d(x, 3, options);
        const int64_t below = (y.size(2) - 1) * stride + 3 - padding - 17,
                      right = (y.size(3) - 1) * stride + 3 - padding - 35;
        const Tensor columns =
            unfold(pad(x, {padding, right, padding, below}, {.value = -INFINITY}), 3, {.stride = stride});
        const Tensor same = max(columns.reshape({3, 4, 9, -1}), 2).values.reshape(y.shape());
        EXPECT_EQ(y.to_vector<float>(), same.to_vector<float>());
        const Tensor dx = tape.gradient(sum(y * y), {x}, {.retain_graph = true})[0],
                     same_dx = tape.gradient(sum(same * same), {x})[0];
        EXPECT_TENSOR_NEAR(dx, same_dx, 1e-5);
      }
}

TEST(MaxPool2d, CeilModeAddsTheWindowThatBeginsInTheImage) {
  const Tensor x = zeros({1, 1, 6, 7});
  EXPECT_EQ(max_pool2d(x, 2, {.stride = 3}).shape(), (Shape{1, 1, 2, 2}));
  EXPECT_EQ(max_pool2d(x, 2, {.stride = 3, .ceil_mode = true}).shape(), (Shape{1, 1, 2, 3}));
  EXPECT_EQ(max_pool1d(x[0], 3, {.padding = 1, .ceil_mode = true}).shape(), (Shape{1, 6, 3}));
}

TEST(AvgPool2d, DividesByTheWindowOrByItsPixels) {
  const Tensor x = image({1, 2, 3, 4, 5, 6, 7, 8, 9}, 3, 3);
  expect_near(avg_pool2d(x, 2, {.padding = 1}), {0.25, 1.25, 2.75, 7});
  expect_near(avg_pool2d(x, 2, {.padding = 1, .count_include_pad = false}), {1, 2.5, 5.5, 7});
}

TEST(AdaptiveAvgPool2d, TakesOverlappingPartsWhereSizesDoNotDivide) {
  const Tensor x = image({1, 2, 3, 4, 5}, 1, 5);
  expect_near(adaptive_avg_pool2d(x, {1, 3}), {1.5, 3, 4.5});
  expect_near(adaptive_avg_pool2d(x, {2, 1}), {3, 3});
  expect_near(adaptive_avg_pool2d(x, 1), {3});
}

// The numbers are those of torch.nn.functional.interpolate.
TEST(Interpolate, TakesTheNearestOrTheMeanOfTwo) {
  const Tensor x = image({1, 2, 4}, 1, 3);
  expect_near(interpolate(x, {.size = {1, 5}}), {1, 1, 2, 2, 4});
  expect_near(interpolate(x, {.size = {1, 2}}), {1, 2});
  expect_near(interpolate(x, {.size = {1, 6}, .mode = Interpolation::bilinear}), {1, 1.25, 1.75, 2.5, 3.5, 4});
  expect_near(interpolate(x, {.size = {1, 5}, .mode = Interpolation::bilinear, .align_corners = true}),
              {1, 1.5, 2, 3, 4});
  expect_near(interpolate(image({1, 2, 3, 4}, 2, 2), {.scale_factor = 2, .mode = Interpolation::bilinear}),
              {1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4});
}

TEST(Pad, PutsEntriesAtTheEndsOfTheLastAxes) {
  const Tensor x = from_vector(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  expect_near(pad(x, {1, 0, 0, 1}, {.value = 9}), {9, 1, 2, 3, 9, 4, 5, 6, 9, 9, 9, 9});
  expect_near(pad(x, {-1, 1}), {2, 3, 0, 5, 6, 0});
  expect_near(pad(x, {2, 1}, {.mode = PadMode::reflect}), {3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5});
  expect_near(pad(x, {2, 1}, {.mode = PadMode::replicate}), {1, 1, 1, 2, 3, 3, 4, 4, 4, 5, 6, 6});
}

TEST(Fold, AddsUpTheWindowsThatUnfoldTook) {
  const Tensor x = gaussian({2, 3, 5, 6}), dy = gaussian({2, 18, 8});
  const UnfoldOptions options{.dilation = {1, 2}, .padding = {1, 0}, .stride = {2, 1}};
  // <unfold(x), dy> = <x, fold(dy)>
  const Tensor columns = unfold(x, {3, 2}, options);
  ASSERT_EQ(columns.shape(), (Shape{2, 18, 12}));
  const Tensor cotangent = gaussian(columns.shape());
  EXPECT_NEAR(sum(columns * cotangent).item(), sum(x * fold(cotangent, {5, 6}, {3, 2}, options)).item(), 1e-11);
}

TEST(GroupNorm, NormalizesEachGroupOfChannelsOfEachImage) {
  const Tensor x = gaussian({3, 6, 4, 5}) * 3 + 1e6, y = group_norm(x, 2);
  const Tensor rows = y.reshape({3, 2, 60});
  for (double mean_of_group : mean(rows, -1).to_vector<double>()) EXPECT_NEAR(mean_of_group, 0, 1e-8);
  for (double variance : var(rows, -1, {.correction = 0}).to_vector<double>()) EXPECT_NEAR(variance, 1, 1e-5);
  const Tensor one = group_norm(x, 1), as_layer = layer_norm(x, {6, 4, 5});
  expect_near(one, as_layer.to_vector<double>(), 1e-9);
}

TEST(GroupNorm, OfAConstantGroupIsTheBiasAndNanStaysInItsGroup) {
  Tensor x = full({2, 4, 3}, 7, {.dtype = float64});
  x.mutable_data<double>()[0] = NAN;
  const Tensor bias = from_vector(std::vector<double>{1, 2, 3, 4}, {4});
  const std::vector<double> y = group_norm(x, 2, {}, bias).to_vector<double>();
  for (size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(std::isnan(y[i]), i < 6) << i;
    EXPECT_TRUE(i < 6 || y[i] == double(i / 3 % 4 + 1)) << i;
  }
}

TEST(InstanceNorm, IsAGroupNormWithAGroupForEachChannel) {
  const Tensor x = gaussian({2, 3, 7}), w = gaussian({3}), b = gaussian({3});
  expect_near(instance_norm(x, w, b), group_norm(x, 3, w, b).to_vector<double>(), 0);
  expect_near(instance_norm(x), layer_norm(x, {7}).to_vector<double>());
}

TEST(Pooling, SaysWhatDoesNotFit) {
  const Tensor x = zeros({1, 2, 4, 4});
  EXPECT_EQ(message<ShapeError>([&] { max_pool2d(x[0], 2); }),
            "max_pool2d: input must be [N, C, H, W], got [2, 4, 4]. Hint: unsqueeze(0) makes a batch of one image");
  EXPECT_EQ(message<ValueError>([&] { max_pool2d(x, 2, {.padding = 2}); }),
            "max_pool2d: padding must be at most half of kernel_size 2 x 2, got 2 and 2");
  EXPECT_EQ(message<ShapeError>([&] {
              avg_pool2d(x, {2, 5});
            }),
            "avg_pool2d: a window must fit into the input: its width is 5, that of the input 4 with 0 of padding");
  EXPECT_EQ(message<ShapeError>([&] { adaptive_avg_pool2d(x, 0); }),
            "adaptive_avg_pool2d: input and output_size must have pixels, got [1, 2, 4, 4] and 0 x 0");
  EXPECT_EQ(message<ValueError>([&] { interpolate(x, {}); }),
            "interpolate: takes either size or scale_factor, got none");
  EXPECT_EQ(message<ShapeError>([&] {
              pad(x, {4, 0}, {.mode = PadMode::reflect});
            }),
            "pad: reflect needs at most 3 entries at each end of axis 3 of [1, 2, 4, 4], got 4 and 0");
  EXPECT_EQ(message<ShapeError>([&] { pad(x, {1}); }),
            "pad: pad must be {left, right, top, bottom, ...}, two numbers for each of the last axes of [1, "
            "2, 4, 4], "
            "got [1]");
  EXPECT_EQ(message<ShapeError>([&] {
              fold(zeros({1, 8, 5}), 4, {2, 2}, {.stride = 2});
            }),
            "fold: input must be [N, C * 4, 4] for these windows, got [1, 8, 5]");
  EXPECT_EQ(message<ValueError>([&] { group_norm(x, 3); }),
            "group_norm: num_groups must divide the 2 channels of input [1, 2, 4, 4], got 3");
  EXPECT_EQ(message<ValueError>([&] {
              instance_norm(zeros({1, 2, 1}));
            }),
            "instance_norm: a channel must have more than one position, got input [1, 2, 1]");
}

}  // namespace
}  // namespace tapegrad
