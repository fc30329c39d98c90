// Options in braces are options, axes in braces are axes: GCC used to read {.keepdim = true} as the axis 1. Every
// call that takes a list and options is compiled here as the documentation writes it, by GCC and by Clang, with the
// value of each.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

namespace tapegrad {
namespace {

const Tensor x = tensor({{0, 1, 2}, {3, 4, 5}});

TEST(Braces, OptionsAloneGoOverAllAxes) {
  EXPECT_TENSOR_NEAR(sum(x, {.keepdim = true}), tensor({{15}}), 0);
  EXPECT_TENSOR_NEAR(mean(x, {.keepdim = true}), tensor({{2.5}}), 0);
  EXPECT_TENSOR_NEAR(prod(x, {.keepdim = true}), tensor({{0}}), 0);
  EXPECT_TENSOR_NEAR(var(x, {.correction = 0}), tensor(35.0 / 12), 1e-7);
  EXPECT_TENSOR_NEAR(var(x, {.keepdim = true}), tensor({{3.5}}), 1e-7);
  EXPECT_TENSOR_NEAR(var(x, {.correction = 0, .keepdim = true}), tensor({{35.0 / 12}}), 1e-7);
  EXPECT_TENSOR_NEAR(std(x, {.correction = 0}), tensor(std::sqrt(35.0 / 12)), 1e-7);
  EXPECT_TENSOR_NEAR(norm(x, {.p = 1}), tensor(15), 0);
  EXPECT_TENSOR_NEAR(norm(x, {.keepdim = true}), tensor({{std::sqrt(55.0)}}), 1e-7);
  EXPECT_TENSOR_NEAR(amax(x, {.keepdim = true}), tensor({{5}}), 0);
  EXPECT_TENSOR_NEAR(amin(x, {.keepdim = true}), tensor({{0}}), 0);
  EXPECT_TENSOR_NEAR(logsumexp(zeros({2, 4}), {.keepdim = true}), tensor({{std::log(8.0)}}), 1e-7);
}

TEST(Braces, OptionsOfOneAreOptionsToo) {
  const ReduceOptions keep = {.keepdim = true};
  const VarOptions biased{.correction = 0};
  EXPECT_TENSOR_NEAR(sum(x, keep), tensor({{15}}), 0);
  EXPECT_TENSOR_NEAR(sum(x, ReduceOptions{}), tensor(15), 0);
  EXPECT_TENSOR_NEAR(var(x, biased), tensor(35.0 / 12), 1e-7);
  EXPECT_TENSOR_NEAR(norm(x, VectorNormOptions{.p = 1}), tensor(15), 0);
}

TEST(Braces, NumbersAreAxes) {
  const int64_t axis = 1;
  EXPECT_TENSOR_NEAR(sum(x), tensor(15), 0);
  EXPECT_TENSOR_NEAR(sum(x, {}), tensor(15), 0);
  EXPECT_TENSOR_NEAR(sum(x, {}, {.keepdim = true}), tensor({{15}}), 0);
  EXPECT_TENSOR_NEAR(sum(x, -1), tensor({3, 12}), 0);
  EXPECT_TENSOR_NEAR(sum(x, axis), tensor({3, 12}), 0);
  EXPECT_TENSOR_NEAR(sum(x, {0}), tensor({3, 5, 7}), 0);
  EXPECT_TENSOR_NEAR(sum(x, {1}), tensor({3, 12}), 0);
  EXPECT_TENSOR_NEAR(sum(x, {0, axis}), tensor(15), 0);
  EXPECT_TENSOR_NEAR(sum(x, {0, -1}, {.keepdim = true}), tensor({{15}}), 0);
  EXPECT_TENSOR_NEAR(sum(x, Axes(Shape{0, 1})), tensor(15), 0);
  EXPECT_TENSOR_NEAR(mean(x, {0, 1}), tensor(2.5), 0);
  EXPECT_TENSOR_NEAR(var(x, {0, 1}), tensor(3.5), 1e-7);
  EXPECT_TENSOR_NEAR(var(x, {0}, {.correction = 0}), tensor({2.25, 2.25, 2.25}), 1e-7);
  EXPECT_TENSOR_NEAR(std(x, {}), tensor(std::sqrt(3.5)), 1e-7);
  EXPECT_TENSOR_NEAR(norm(x, {1}, {.p = 1}), tensor({3, 12}), 0);
  EXPECT_TENSOR_NEAR(amax(x, {0}, {.keepdim = true}), tensor({{3, 4, 5}}), 0);
}

TEST(Braces, GiveOptionsAfterAnAxisOrAShape) {
  EXPECT_TENSOR_NEAR(max(x, 1, {.keepdim = true}).values, tensor({{2}, {5}}), 0);
  EXPECT_TENSOR_NEAR(argmin(x, 0, {.keepdim = true}), tensor({{0, 0, 0}}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(sort(x, 1, {.descending = true}).values, tensor({{2, 1, 0}, {5, 4, 3}}), 0);
  EXPECT_TENSOR_NEAR(topk(x, 1, -1, {.largest = false}).values, tensor({{0}, {3}}), 0);
  EXPECT_TENSOR_NEAR(layer_norm(x, {3}, {}, {}, {.eps = 10}), (x - mean(x, 1, {.keepdim = true})) * 0.306186, 1e-6);
  EXPECT_TENSOR_NEAR(rms_norm(ones({2, 3}), {3}, {}, {.eps = 3}), full({2, 3}, 0.5), 0);
  EXPECT_TENSOR_NEAR(zeros({2}, {.dtype = float64}), tensor({0, 0}, {.dtype = float64}), 0);
  EXPECT_TENSOR_NEAR(one_hot(tensor({1}, {.dtype = int64}), 2, {.dtype = float64}),
                     tensor({{0, 1}}, {.dtype = float64}), 0);
}

// What a compiler must refuse: options of something else, fractions and truths as axes, options in place of a shape
// or of one axis.
template <class T>
concept HasMore = requires(const Tensor& x) {
  sum(x, T{.p = 1.0});
};
template <class T>
concept IsAxis = requires(const Tensor& x, T axis) {
  sum(x, axis);
};
static_assert(!HasMore<VectorNormOptions> && !IsAxis<double> && !IsAxis<bool> && !IsAxis<VarOptions>);
static_assert(IsAxis<int> && IsAxis<int64_t> && IsAxis<uint8_t> && IsAxis<ReduceOptions> && IsAxis<Axes>);

}  // namespace
}  // namespace tapegrad
