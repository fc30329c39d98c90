// Comparison of tensors for tests. What a reader of a failed test needs first comes first: shape, dtype, NaN,
// then the worst element with its place and its neighbours.
#include <fmt/format.h>
#include <tapegrad/testing.h>

#include <algorithm>
#include <cmath>

namespace tapegrad {

namespace {

std::vector<double> numbers(const Tensor& x) { return x.detach().to(float64).to_vector<double>(); }

// How far apart; infinite if one of them is NaN (unless both may be) or an infinity that the other is not.
double distance(double a, double b, const CloseOptions& options) {
  if (a == b || (options.equal_nan && std::isnan(a) && std::isnan(b))) return 0;
  const double apart = std::abs(a - b);
  return std::isnan(apart) ? INFINITY : apart;
}

// Up to seven values around `at`, in the order of memory.
std::string window(const std::vector<double>& values, size_t at) {
  const size_t first = at < 3 ? 0 : at - 3, last = std::min(values.size(), at + 4);
  std::string text = first > 0 ? "..." : "";
  for (size_t i = first; i < last; ++i)
    text += fmt::format("{}{}{:.9g}{}", text.empty() ? "" : " ", i == at ? "[" : "", values[i], i == at ? "]" : "");
  return text + (last < values.size() ? " ..." : "");
}

}  // namespace

::testing::AssertionResult is_close(const Tensor& actual, const Tensor& expected, const CloseOptions& options) {
  const auto no = [](const std::string& text) { return ::testing::AssertionFailure() << text; };
  if (!actual.defined() || !expected.defined()) {
    if (actual.defined() == expected.defined()) return ::testing::AssertionSuccess();
    return no(actual.defined() ? "the expected tensor is an empty handle" : "the tensor is an empty handle");
  }
  if (actual.shape() != expected.shape())
    return no(fmt::format("the shape must be {}, got {}", expected.shape(), actual.shape()));
  if (actual.dtype() != expected.dtype())
    return no(fmt::format("the dtype must be {}, got {}", expected.dtype(), actual.dtype()));
  const std::vector<double> a = numbers(actual), b = numbers(expected);
  size_t wrong = 0, nan = 0, worst = 0;
  double farthest = -1;
  for (size_t i = 0; i < a.size(); ++i) {
    const double apart = distance(a[i], b[i], options);
    // An infinite expectation has no relative tolerance: only itself is near.
    const double allowed = std::isfinite(b[i]) ? options.atol + options.rtol * std::abs(b[i]) : 0;
    if (apart <= allowed && apart < INFINITY) continue;  // whatever the tolerance
    ++wrong;
    nan += std::isnan(a[i]) && !std::isnan(b[i]);
    const double excess = apart / std::max(allowed, 1e-300);
    if (excess > farthest) {
      farthest = excess;
      worst = i;
    }
  }
  if (wrong == 0) return ::testing::AssertionSuccess();
  std::string text = fmt::format("{} of {} elements differ", wrong, a.size());
  if (nan > 0) text += fmt::format(", {} of them NaN", nan);
  text += fmt::format(", the worst at {}: {:.9g}, expected {:.9g}", detail::index_of(int64_t(worst), actual.shape()),
                      a[worst], b[worst]);
  if (std::isfinite(a[worst]) && std::isfinite(b[worst]))
    text += fmt::format(" (difference {:.3g}, allowed {:.3g})", std::abs(a[worst] - b[worst]),
                        options.atol + options.rtol * std::abs(b[worst]));
  return no(text + "\n  around it: " + window(a, worst) + "\n  expected:  " + window(b, worst));
}

::testing::AssertionResult detail::tensor_near(const char* text, const Tensor& actual, const Expected& expected,
                                               double tolerance) {
  if (!(tolerance >= 0))
    return ::testing::AssertionFailure() << "the tolerance must not be negative, got " << tolerance;
  const ::testing::AssertionResult result =
      is_close(actual, expected.for_tensor(actual), {.rtol = tolerance, .atol = tolerance});
  return result ? result : ::testing::AssertionFailure() << text << ": " << result.message();
}

::testing::AssertionResult detail::has_shape(const Tensor& tensor, const Shape& shape) {
  if (!tensor.defined()) return ::testing::AssertionFailure() << "which is an empty handle";
  if (tensor.shape() == shape) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "which has shape " << to_string(tensor.shape());
}

::testing::AssertionResult detail::is_finite(const Tensor& tensor) {
  if (!tensor.defined()) return ::testing::AssertionFailure() << "which is an empty handle";
  const std::vector<double> values = numbers(tensor);
  const auto at = std::find_if_not(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
  if (at == values.end()) return ::testing::AssertionSuccess();
  const auto count = std::count_if(at, values.end(), [](double value) { return !std::isfinite(value); });
  return ::testing::AssertionFailure() << fmt::format(
             "which has {} of {} elements that are not finite, the first {} at {}", count, values.size(), *at,
             detail::index_of(at - values.begin(), tensor.shape()));
}

}  // namespace tapegrad
