// A tensor as text, as NumPy prints an array: one width and one notation for all numbers, the points below
// each other, lines of at most 75 columns, and of more than 1000 elements the first and last three of each
// axis. Dtype and shape follow.
//
//   [[ 1.    2.5 ]
//    [-3.    0.25]] float32 [2, 2]
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "tensor/impl.h"

namespace tapegrad {

namespace {

constexpr int64_t kWhole = 1000;  // elements that are all printed
constexpr int64_t kEdge = 3;      // of a longer axis, at each end
constexpr size_t kColumns = 75;
constexpr size_t kDigits = 8;  // after the point

/// A number's text, in the parts that stand below each other: "-3", ".25", "e+05".
struct Parts {
  std::string whole, fraction = {}, exponent = {};
};

Parts split(const std::string& text) {
  const size_t e = std::min(text.find('e'), text.size()), point = std::min(text.find('.'), e);
  return {text.substr(0, point), text.substr(point, e - point), text.substr(e)};
}

/// The shortest digits that give the value back, at most eight of them after the point.
template <class T>
Parts digits(T value, bool scientific) {
  const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
  std::array<char, 512> text;
  char *const begin = text.data(), *const end = begin + text.size();
  Parts parts = split({begin, std::to_chars(begin, end, value, format).ptr});
  if (parts.fraction.size() > 1 + kDigits)
    parts = split({begin, std::to_chars(begin, end, value, format, int(kDigits)).ptr});
  parts.fraction.erase(parts.fraction.find_last_not_of('0') + 1);
  if (parts.fraction.empty()) parts.fraction = ".";
  return parts;
}

template <class T>
class Printer {
 public:
  explicit Printer(const Tensor& x) : x_(x), numbers_(detail::ptr<T>(x)) {
    if constexpr (std::is_floating_point_v<T>) choose_notation();
    for_each([&](int64_t at) {
      const auto [whole, fraction, exponent] = parts(numbers_[at]);
      if (fraction.empty()) {
        plain_ = std::max(plain_, whole.size());
      } else {
        whole_ = std::max(whole_, whole.size());
        fraction_ = std::max(fraction_, fraction.size());
        exponent_ = std::max(exponent_, exponent.size());
      }
    });
    width_ = std::max(plain_, whole_ + fraction_ + exponent_);
  }
  std::string text() {
    if (x_.dim() == 0) return number(*numbers_);
    append(0, 0);
    return out_;
  }

 private:
  /// Calls f(i) for each index of the axis that is shown, and f(-1) where some are left out.
  template <class F>
  void for_each_index(int64_t axis, F f) const {
    const int64_t n = x_.shape()[axis];
    const bool is_cut = x_.numel() > kWhole && n > 2 * kEdge;
    for (int64_t i = 0; i < n; ++i) {
      if (is_cut && i == kEdge) {
        f(int64_t(-1));
        i = n - kEdge;
      }
      f(i);
    }
  }
  /// Calls f with the place of each element that is shown.
  template <class F>
  void for_each(F f, int64_t axis = 0, int64_t offset = 0) const {
    if (axis == x_.dim()) return f(offset);
    for_each_index(axis, [&](int64_t i) {
      if (i >= 0) for_each(f, axis + 1, offset + i * x_.strides()[axis]);
    });
  }

  void choose_notation() {
    double largest = 0, smallest = std::numeric_limits<double>::infinity();
    for_each([&](int64_t at) {
      const double size = std::abs(double(numbers_[at]));
      if (!std::isfinite(size) || size == 0) return;
      largest = std::max(largest, size);
      smallest = std::min(smallest, size);
    });
    scientific_ = largest > 0 && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000);
  }

  Parts parts(T value) const {
    if constexpr (std::is_same_v<T, bool>)
      return {value ? "True" : "False"};
    else if constexpr (std::is_integral_v<T>)
      return {std::to_string(value)};
    else if (!std::isfinite(value))
      return {std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf"};
    else
      return digits(value, scientific_);
  }
  std::string number(T value) const {
    auto [whole, fraction, exponent] = parts(value);
    if (!fraction.empty()) fraction.resize(fraction_, scientific_ ? '0' : ' ');
    return fmt::format("{:>{}}", whole + fraction + exponent, width_);
  }

  void append(int64_t axis, int64_t offset) {
    const std::string indent(size_t(axis) + 1, ' ');
    const bool is_row = axis == x_.dim() - 1;
    // One line break between rows, an empty line between matrices, and so on.
    const std::string between = is_row ? " " : std::string(size_t(x_.dim() - 1 - axis), '\n') + indent;
    out_ += '[';
    size_t line = indent.size();
    bool first = true;
    for_each_index(axis, [&](int64_t i) {
      const size_t width = i < 0 ? 3 : width_;
      if (is_row && !first && line + 1 + width + 1 > kColumns) {
        out_ += "\n" + indent;
        line = indent.size();
      } else if (!first) {
        out_ += between;
        line += 1;
      }
      first = false;
      line += width;
      const int64_t at = offset + i * x_.strides()[axis];
      if (i < 0)
        out_ += "...";
      else if (is_row)
        out_ += number(numbers_[at]);
      else
        append(axis + 1, at);
    });
    out_ += ']';
  }

  const Tensor& x_;
  const T* numbers_;
  bool scientific_ = false;
  size_t plain_ = 0, whole_ = 0, fraction_ = 0, exponent_ = 0, width_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "(empty handle)";
  const std::string values =
      tensor.numel() == 0 ? "[]"
                          : detail::dispatch_all(tensor.dtype(), [&]<class T>(T) { return Printer<T>(tensor).text(); });
  return fmt::format("{} {} {}", values, tensor.dtype(), tensor.shape());
}

}  // namespace tapegrad
