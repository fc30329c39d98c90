// File: testing.h
//
// tapegrad's kit for GoogleTest (link tapegrad::testing): tensors compared with a message that says where
// they differ, matchers for GoogleMock, and gradients checked against differences.
//
//   EXPECT_TENSOR_NEAR(layer_norm(x, {64}), expected, 1e-6);
//   EXPECT_THAT(model(x), AllOf(HasShape({32, 10}), IsFinite()));
//   EXPECT_GRADIENTS([](const Tensor& x) { return swish(x); }, randn({3, 4}, {.dtype = float64}));
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tapegrad/error.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

/// When two numbers count as equal: |a - b| <= atol + rtol * |b|. Infinities are equal to themselves.
struct CloseOptions {
  double rtol = 1e-5;      ///< relative to the expected value
  double atol = 1e-8;      ///< absolute
  bool equal_nan = false;  ///< NaN against NaN passes; otherwise no NaN does
};

/// Whether `actual` has the shape, the dtype and the values of `expected`; else a message with the first of
/// these that differs, and for values how many do, the worst with its index, and those around it.
::testing::AssertionResult is_close(const Tensor& actual, const Tensor& expected,
                                    const CloseOptions& options = {});

namespace detail {
::testing::AssertionResult tensor_near(const char* actual_text, const char* expected_text,
                                       const char* tolerance_text, const Tensor& actual,
                                       const Tensor& expected, double tolerance);
::testing::AssertionResult has_shape(const Tensor& tensor, const Shape& shape);
::testing::AssertionResult is_finite(const Tensor& tensor);

// A matcher whose result and explanation are those of an assertion.
template <class Check>
class TensorMatcher {
 public:
  using is_gtest_matcher = void;
  TensorMatcher(std::string description, Check check) : description_(std::move(description)), check_(check) {}
  bool MatchAndExplain(const Tensor& tensor, std::ostream* out) const {
    const ::testing::AssertionResult result = check_(tensor);
    if (!result && out) *out << result.message();
    return bool(result);
  }
  void DescribeTo(std::ostream* out) const { *out << description_; }
  void DescribeNegationTo(std::ostream* out) const { *out << "not: " << description_; }

 private:
  std::string description_;
  Check check_;
};
}  // namespace detail

/// Matches a tensor that is_close() to `expected`.
inline auto AllClose(const Tensor& expected, const CloseOptions& options = {}) {
  return detail::TensorMatcher("is close to\n" + to_string(expected),
                               [=](const Tensor& x) { return is_close(x, expected, options); });
}

/// Matches a tensor of this shape.
inline auto HasShape(const Shape& shape) {
  return detail::TensorMatcher("has shape " + to_string(shape),
                               [=](const Tensor& x) { return detail::has_shape(x, shape); });
}

/// Matches a tensor without NaN and infinities.
inline auto IsFinite() {
  return detail::TensorMatcher("is finite", [](const Tensor& x) { return detail::is_finite(x); });
}

/// The tensors have one shape and dtype, and |a - b| <= tolerance * (1 + |b|) everywhere; NaN never passes.
#define EXPECT_TENSOR_NEAR(actual, expected, tolerance) \
  EXPECT_PRED_FORMAT3(::tapegrad::detail::tensor_near, actual, expected, tolerance)
#define ASSERT_TENSOR_NEAR(actual, expected, tolerance) \
  ASSERT_PRED_FORMAT3(::tapegrad::detail::tensor_near, actual, expected, tolerance)

}  // namespace tapegrad
