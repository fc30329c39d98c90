// A comparison that passes what it should not is worse than none: each fault here must be found, and named.
#include <gtest/gtest-spi.h>
#include <tapegrad/ops.h>
#include <tapegrad/testing.h>

#include <cmath>

namespace tapegrad {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(TensorNear, PassesWithinTheTolerance) {
  EXPECT_TENSOR_NEAR(tensor({1, 2}), tensor({1, 2}), 0);
  EXPECT_TENSOR_NEAR(tensor({1000.01, INFINITY, -INFINITY}), tensor({1000, INFINITY, -INFINITY}), 1e-4);
  EXPECT_TENSOR_NEAR(zeros({0, 3}), zeros({0, 3}), 0);
}

TEST(TensorNear, NamesTheWorstElement) {
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({{1, 2}, {3, 5}}), tensor({{1, 2.5}, {3, 4}}), 1e-6),
                          "2 of 4 elements differ, the worst at [1, 1]: 5, expected 4 (difference 1, allowed 5e-06)");
  EXPECT_NONFATAL_FAILURE(
      EXPECT_TENSOR_NEAR(tensor({1, 2, 3, 4, 5, 6, 7, 8, 9}), tensor({1, 2, 3, 4, 0, 6, 7, 8, 9}), 0),
      "around it: ... 2 3 4 [5] 6 7 8 ...\n  expected:  ... 2 3 4 [0] 6 7 8 ...");
}

TEST(TensorNear, TakesNumbersInBracesInTheDtypeOfTheTensor) {
  EXPECT_TENSOR_NEAR(linspace(1, 2, 2, {.dtype = float64}), {1, 2}, 0);
  EXPECT_TENSOR_NEAR(tensor({{1, 2}, {3, 4}}), {{1, 2}, {3, 4}}, 0) << "rows";
  EXPECT_TENSOR_NEAR(arange(3), {0, 1, 2}, 0);
  ASSERT_TENSOR_NEAR(randn(Shape{2, 3}).to(float64) * 0.0, zeros(Shape{2, 3}, {.dtype = float64}), 0);
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({1, 2}, {.dtype = float64}), {1, 2.5}, 1e-6),
                          "tensor({1, 2}, {.dtype = float64}), {1, 2.5}, 1e-6: 1 of 2 elements differ, the worst "
                          "at [1]: 2, expected 2.5");
}

TEST(TensorNear, ReportsShapeAndDtypeFirst) {
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(ones({2, 3}), zeros({3, 2}), 1), "the shape must be [3, 2], got [2, 3]");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(ones({3}), ones({1}), 1), "the shape must be [1], got [3]");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(ones({3}), ones({3}, {.dtype = float64}), 1),
                          "the dtype must be float64, got float32");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(Tensor(), ones({3}), 1), "the tensor is an empty handle");
}

TEST(TensorNear, NeverPassesNaN) {
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({NAN}), tensor({1}), INFINITY),
                          "1 of 1 elements differ, 1 of them NaN, the worst at [0]: nan, expected 1");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({NAN}), tensor({NAN}), 1), "1 of 1 elements differ");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({1}), tensor({NAN}), 1e300), "expected nan");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({1}), tensor({1}), NAN), "the tolerance must not be negative");
}

TEST(TensorNear, AnInfinityIsNearItselfOnly) {
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({INFINITY}), tensor({-INFINITY}), 1), "elements differ");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({1e30}), tensor({INFINITY}), 1), "elements differ");
  EXPECT_NONFATAL_FAILURE(EXPECT_TENSOR_NEAR(tensor({INFINITY}), tensor({1}), 1), "elements differ");
}

TEST(Matchers, MatchTensors) {
  const Tensor x = tensor({{1, 2}, {3, 4}});
  EXPECT_THAT(x, AllOf(HasShape({2, 2}), IsFinite(), AllClose(x + 1e-7)));
  EXPECT_THAT(x, Not(HasShape({4})));
  EXPECT_THAT(x, Not(AllClose(x + 0.1)));
  EXPECT_THAT(x, AllClose(x + 0.1, {.atol = 0.2}));
  EXPECT_THAT(tensor({1, NAN}), Not(IsFinite()));
  EXPECT_THAT(tensor({NAN}), Not(AllClose(tensor({NAN}))));
  EXPECT_THAT(tensor({NAN}), AllClose(tensor({NAN}), {.equal_nan = true}));
}

TEST(Matchers, ExplainThemselves) {
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(ones({3}), HasShape({2, 2})), "which has shape [3]");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(tensor({1, INFINITY}), IsFinite()),
                          "which has 1 of 2 elements that are not finite, the first inf at [1]");
  EXPECT_NONFATAL_FAILURE(EXPECT_THAT(ones({3}), AllClose(zeros({3}))), "3 of 3 elements differ");
}

}  // namespace
}  // namespace tapegrad
