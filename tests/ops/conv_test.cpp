// Convolutions against loops over their definition, over sizes around the borders of blocks, tiles and chunks.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include "ops/expect.h"

namespace tapegrad {
namespace {

// The three tensors of a convolution, of which each is a sum over products of the other two (src/ops/conv/conv2d.cpp).
struct Case {
  int64_t n, groups, channels, outputs, height, width;  // channels and outputs of a group
  Size2 kernel = 3, stride = 1, padding = 0, dilation = 1;

  Size2 out() const {
    return {(height + 2 * padding.h - dilation.h * (kernel.h - 1) - 1) / stride.h + 1,
            (width + 2 * padding.w - dilation.w * (kernel.w - 1) - 1) / stride.w + 1};
  }
  Shape x() const { return {n, groups * channels, height, width}; }
  Shape weight() const { return {groups * outputs, channels, kernel.h, kernel.w}; }
  Shape y() const { return {n, groups * outputs, out().h, out().w}; }
  Conv2dOptions options() const { return {stride, padding, dilation, groups}; }

  // f(index in x, in weight, in y) for each product.
  template <class F>
  void each(F f) const {
    const auto [oh, ow] = out();
    for (int64_t i = 0; i < n; ++i)
      for (int64_t o = 0; o < groups * outputs; ++o)
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t u = 0; u < kernel.h; ++u)
            for (int64_t v = 0; v < kernel.w; ++v)
              for (int64_t a = 0; a < oh; ++a)
                for (int64_t b = 0; b < ow; ++b) {
                  const int64_t row = a * stride.h + u * dilation.h - padding.h,
                                column = b * stride.w + v * dilation.w - padding.w;
                  if (row < 0 || row >= height || column < 0 || column >= width) continue;
                  const int64_t channel = o / outputs * channels + c;
                  f(((i * groups * channels + channel) * height + row) * width + column,
                    ((o * channels + c) * kernel.h + u) * kernel.w + v, ((i * groups * outputs + o) * oh + a) * ow + b);
                }
  }
};

std::vector<Case> cases() {
  return {
      {.n = 2, .groups = 1, .channels = 3, .outputs = 5, .height = 4, .width = 5},
      {.n = 1, .groups = 1, .channels = 1, .outputs = 16, .height = 12, .width = 12, .padding = 1},
      // 128 pixels are a block, and one more; 31 to 33 channels are around a panel
      {.n = 1, .groups = 1, .channels = 4, .outputs = 31, .height = 8, .width = 16, .padding = 1},
      {.n = 1, .groups = 1, .channels = 32, .outputs = 33, .height = 3, .width = 43, .padding = 1},
      // 256 products of a sum are a block: 28 x 9 = 252, 29 x 9 = 261
      {.n = 1, .groups = 1, .channels = 28, .outputs = 9, .height = 3, .width = 4},
      {.n = 1, .groups = 1, .channels = 29, .outputs = 9, .height = 3, .width = 4},
      // a plane of 256 pixels, and of 272
      {.n = 2, .groups = 1, .channels = 4, .outputs = 6, .height = 16, .width = 16, .kernel = 1},
      {.n = 2, .groups = 1, .channels = 4, .outputs = 6, .height = 16, .width = 17, .kernel = 1},
      // 17 images are eight chunks
      {.n = 17, .groups = 1, .channels = 16, .outputs = 16, .height = 16, .width = 16, .padding = 1},
      // vectors of pixels: rows of whole vectors, rows whose last vector overlaps, and sums of two blocks
      {.n = 2, .groups = 1, .channels = 8, .outputs = 5, .height = 4, .width = 32, .padding = 1},
      {.n = 2, .groups = 2, .channels = 6, .outputs = 4, .height = 5, .width = 37, .padding = 1},
      {.n = 1, .groups = 1, .channels = 29, .outputs = 6, .height = 3, .width = 21, .padding = 1},
      {.n = 2, .groups = 1, .channels = 3, .outputs = 3, .height = 6, .width = 7, .padding = 1},
      {.n = 2, .groups = 1, .channels = 4, .outputs = 4, .height = 7, .width = 8, .stride = 2, .padding = 1},
      {.n = 1, .groups = 1, .channels = 4, .outputs = 7, .height = 9, .width = 11, .kernel = {1, 2}, .stride = {3, 4}},
      {.n = 1,
       .groups = 1,
       .channels = 5,
       .outputs = 4,
       .height = 9,
       .width = 12,
       .kernel = {2, 3},
       .stride = {2, 1},
       .padding = {2, 3},
       .dilation = {3, 2}},
      {.n = 1, .groups = 1, .channels = 4, .outputs = 4, .height = 5, .width = 5, .kernel = 5, .padding = 4},
      {.n = 1, .groups = 1, .channels = 4, .outputs = 4, .height = 2, .width = 2, .kernel = 1, .padding = 3},
      {.n = 2, .groups = 3, .channels = 2, .outputs = 4, .height = 5, .width = 6, .stride = {1, 2}, .padding = 1},
      {.n = 2, .groups = 5, .channels = 1, .outputs = 1, .height = 6, .width = 35, .padding = 1},
      {.n = 2, .groups = 4, .channels = 1, .outputs = 2, .height = 7, .width = 9, .stride = 2, .padding = 1},
      {.n = 1, .groups = 2, .channels = 3, .outputs = 2, .height = 7, .width = 9, .stride = 3, .dilation = 2}};
}

void expect_convolution(const Case& c, Dtype dtype, double tolerance) {
  const Tensor x = gaussian(c.x()), w = gaussian(c.weight()), dy = gaussian(c.y()), shift = gaussian({c.weight()[0]});
  const std::vector<double> xs = x.to(dtype).to(float64).to_vector<double>(),
                            ws = w.to(dtype).to(float64).to_vector<double>(),
                            gs = dy.to(dtype).to(float64).to_vector<double>(),
                            bs = shift.to(dtype).to(float64).to_vector<double>();
  std::vector<double> y(gs.size()), dx(xs.size()), dw(ws.size()), db(bs.size());
  const size_t plane = size_t(c.out().h * c.out().w);
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = bs[i / plane % bs.size()];
    db[i / plane % bs.size()] += gs[i];
  }
  c.each([&](int64_t i, int64_t k, int64_t o) {
    y[size_t(o)] += xs[size_t(i)] * ws[size_t(k)];
    dx[size_t(i)] += gs[size_t(o)] * ws[size_t(k)];
    dw[size_t(k)] += gs[size_t(o)] * xs[size_t(i)];
  });
  const auto leaf = [dtype](const Tensor& value) { return value.to(dtype).set_requires_grad(); };
  Tensor a = leaf(x), b = leaf(w), bias = leaf(shift);
  Tape tape;
  const Tensor result = conv2d(a, b, bias, c.options());
  ASSERT_EQ(result.shape(), c.y());
  tape.backward(result, {.gradient = dy.to(dtype)});
  expect_near(result.to(float64), y, tolerance * std::sqrt(double(ws.size()) / double(bs.size())));
  expect_near(a.grad().to(float64), dx, tolerance * std::sqrt(double(ws.size())));
  expect_near(b.grad().to(float64), dw, tolerance * std::sqrt(double(gs.size())));
  expect_near(bias.grad().to(float64), db, tolerance * std::sqrt(double(gs.size())));
  // The transposed convolution from y to x is what dx is.
  const int64_t extra_h =
                    c.height - ((c.out().h - 1) * c.stride.h - 2 * c.padding.h + c.dilation.h * (c.kernel.h - 1) + 1),
                extra_w =
                    c.width - ((c.out().w - 1) * c.stride.w - 2 * c.padding.w + c.dilation.w * (c.kernel.w - 1) + 1);
  const Tensor back =
      conv_transpose2d(dy.to(dtype), w.to(dtype), {}, {c.stride, c.padding, {extra_h, extra_w}, c.groups, c.dilation});
  expect_near(back.to(float64), dx, tolerance * std::sqrt(double(ws.size())));
}

TEST(Conv2d, AndItsGradientsAreTheSumsOfTheirDefinition) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(to_string(c.x()) + " by " + to_string(c.weight()));
    manual_seed(1);
    expect_convolution(c, float64, 1e-13);
    expect_convolution(c, float32, 1e-5);
  }
}

TEST(Conv2d, HasTheSameBitsForAnyNumberOfThreads) {
  const int before = get_num_threads();
  for (const Case& c : cases()) {
    std::vector<std::vector<float>> results;
    for (int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      manual_seed(2);
      Tensor x = randn(c.x(), {.requires_grad = true}), w = randn(c.weight(), {.requires_grad = true});
      Tape tape;
      const Tensor y = conv2d(x, w, {}, c.options());
      tape.backward(sum(y * y));
      std::vector<float> all = y.to_vector<float>();
      for (const Tensor& dx : {x.grad(), w.grad()})
        for (float v : dx.to_vector<float>()) all.push_back(v);
      results.push_back(all);
      EXPECT_EQ(results.front(), results.back()) << to_string(c.x()) << " on " << threads << " threads";
    }
  }
  set_num_threads(before);
}

TEST(Conv2d, IsTheWeightTimesTheUnfoldedImage) {
  const Tensor x = gaussian({2, 3, 6, 7}), w = gaussian({4, 3, 3, 2});
  const Tensor columns = unfold(x, {3, 2}, {.dilation = {1, 2}, .padding = {1, 0}, .stride = {2, 1}});
  const Tensor y = conv2d(x, w, {}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}});
  expect_near(matmul(w.reshape({4, 18}), columns), y.to_vector<double>());
}

TEST(Conv2d, KeepsNanAndInfinityWithinTheWindowsThatSeeThem) {
  Tensor x = zeros({1, 2, 5, 5}, {.dtype = float64}), w = ones({4, 2, 3, 3}, {.dtype = float64});
  x.mutable_data<double>()[6] = NAN;  // row 1, column 1 of channel 0
  x.mutable_data<double>()[24] = INFINITY;
  const std::vector<double> y = conv2d(x, w, {}, {.padding = 1}).to_vector<double>();
  for (int64_t i = 0; i < 100; ++i) {
    const int64_t row = i % 25 / 5, column = i % 5;
    EXPECT_EQ(std::isnan(y[size_t(i)]), row <= 2 && column <= 2) << i;
    EXPECT_EQ(std::isinf(y[size_t(i)]), row >= 3 && column >= 3) << i;
  }
}

TEST(Conv1d, IsAConvolutionOfImagesOfOneRow) {
  const Tensor x = gaussian({2, 4, 11}), w = gaussian({6, 2, 3}), b = gaussian({6});
  const Tensor y = conv1d(x, w, b, {.stride = 2, .padding = 3, .dilation = 2, .groups = 2});
  const Tensor same =
      conv2d(x.unsqueeze(2), w.unsqueeze(2), b, {.stride = {1, 2}, .padding = {0, 3}, .dilation = {1, 2}, .groups = 2});
  expect_near(y, same.to_vector<double>(), 0);
  const Tensor back = conv_transpose1d(y, w, {}, {.stride = 2, .padding = 3, .groups = 2, .dilation = 2});
  const Tensor same_back = conv_transpose2d(y.unsqueeze(2), w.unsqueeze(2), {},
                                            {.stride = {1, 2}, .padding = {0, 3}, .groups = 2, .dilation = {1, 2}});
  expect_near(back, same_back.to_vector<double>(), 0);
}

TEST(Conv2d, TakesNoMoreMemoryThanHalfOfItsImagesBeside) {
  const Tensor x = randn({64, 16, 32, 32}, {.requires_grad = true}), w = randn({16, 16, 3, 3}, {.requires_grad = true});
  const size_t images = 2 * size_t(x.numel()) * sizeof(float);
  Tape tape;
  const auto beside = [&](const auto& f, size_t results) {
    const size_t before = memory::stats().in_use;
    memory::reset_peak();
    const auto kept = f();
    return memory::stats().peak - before - results;
  };
  const Tensor y = conv2d(x, w, {}, {.padding = 1});
  EXPECT_LT(beside([&] { return conv2d(x, w, {}, {.padding = 1}); }, images / 2), images / 2);
  const Tensor dy = ones_like(y);
  EXPECT_LT(beside([&] { return tape.gradient(y, {x, w}, {.gradient = dy}); }, images / 2), images / 2);
}

TEST(Conv2d, SaysWhatDoesNotFit) {
  const Tensor x = zeros({2, 3, 8, 8}), w = zeros({4, 3, 3, 3});
  EXPECT_EQ(message<ShapeError>([&] { conv2d(x[0], w); }),
            "conv2d: input must be [N, C, H, W], got [3, 8, 8]. Hint: unsqueeze(0) makes a batch of one");
  EXPECT_EQ(message<ShapeError>([&] {
              conv2d(x, zeros({4, 3, 3}));
            }),
            "conv2d: weight must be [O, C / groups, KH, KW] with no size 0, got [4, 3, 3]");
  EXPECT_EQ(message<ShapeError>([&] {
              conv2d(x, zeros({4, 2, 3, 3}));
            }),
            "conv2d: input must have 2 channels for weight [4, 2, 3, 3], got [2, 3, 8, 8]");
  EXPECT_EQ(message<ShapeError>([&] { conv2d(x, w, {}, {.groups = 2}); }),
            "conv2d: input must have 6 channels for weight [4, 3, 3, 3] and 2 groups, got [2, 3, 8, 8]");
  EXPECT_EQ(message<ValueError>([&] { conv2d(x, w, {}, {.groups = 3}); }),
            "conv2d: groups must divide the channels of weight [4, 3, 3, 3], got 3");
  EXPECT_EQ(message<ShapeError>([&] { conv2d(x, w, zeros({3})); }), "conv2d: bias must be [4], got [3]");
  EXPECT_EQ(message<ValueError>([&] { conv2d(x, w, {}, {.stride = 0}); }),
            "conv2d: stride must be in [1, 1073741824], got 0");
  EXPECT_EQ(message<ShapeError>([&] {
              conv2d(x, w, {}, {.padding = {1, 0}, .dilation = {5, 1}});
            }),
            "conv2d: a window must fit into the input: its height is 11, that of the input 8 with 2 of padding");
  EXPECT_EQ(message<DtypeError>([&] { conv2d(x, w.to(float64)); }),
            "conv2d: both must have one dtype, got float32 and float64. Hint: convert one with x.to(float32)");
  EXPECT_EQ(message<ShapeError>([&] { conv1d(x, w); }), "conv1d: input must be [N, C, L], got [2, 3, 8, 8]");
  EXPECT_EQ(message<ShapeError>([&] { conv_transpose2d(x, w); }),
            "conv_transpose2d: input must have 4 channels for weight [4, 3, 3, 3], got [2, 3, 8, 8]");
  EXPECT_EQ(message<ValueError>([&] { conv_transpose2d(x, w.transpose(0, 1), {}, {.output_padding = 1}); }),
            "conv_transpose2d: output_padding must be at least 0 and below stride 1 or dilation 1, got 1");
  EXPECT_EQ(message<ShapeError>([&] { conv_transpose2d(x, w.transpose(0, 1), {}, {.padding = 5}); }),
            "conv_transpose2d: the result must have pixels, its size would be 0");
}

}  // namespace
}  // namespace tapegrad
