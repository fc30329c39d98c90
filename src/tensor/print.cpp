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

/// The place of each element that is printed, in order.
class Places {
 public:
  explicit Places(const Tensor& x) : x_(x), abbreviated_(x.numel() > kWhole) {}
  bool is_cut(int64_t axis) const { return abbreviated_ && x_.shape()[axis] > 2 * kEdge; }
  /// Calls f(i) for each index that is shown, and f(-1) where some are left out.
  template <class F>
  void for_each_index(int64_t axis, F f) const {
    const int64_t n = x_.shape()[axis];
    for (int64_t i = 0; i < n; ++i) {
      if (is_cut(axis) && i == kEdge) {
        f(int64_t(-1));
        i = n - kEdge;
      }
      f(i);
    }
  }
  template <class F>
  void for_each(F f, int64_t axis = 0, int64_t offset = 0) const {
    if (x_.numel() == 0) return;
    if (axis == x_.dim()) return f(offset);
    for_each_index(axis, [&](int64_t i) {
      if (i >= 0) for_each(f, axis + 1, offset + i * x_.strides()[axis]);
    });
  }

 private:
  const Tensor& x_;
  bool abbreviated_;
};

template <class T>
std::string chars(T value, std::chars_format format, int precision = -1) {
  std::array<char, 512> text;
  const auto end = precision < 0
                       ? std::to_chars(text.data(), text.data() + text.size(), value, format).ptr
                       : std::to_chars(text.data(), text.data() + text.size(), value, format, precision).ptr;
  return std::string(text.data(), end);
}

/// The shortest digits that give the value back, at most eight of them after the point.
template <class T>
std::string digits(T value, bool scientific) {
  const auto format = scientific ? std::chars_format::scientific : std::chars_format::fixed;
  const auto split = [&](std::string text, std::string& exponent) {
    const size_t e = scientific ? text.find('e') : std::string::npos;
    exponent = e == std::string::npos ? "" : text.substr(e);
    text.resize(std::min(e, text.size()));
    if (text.find('.') == std::string::npos) text += '.';
    return text;
  };
  std::string exponent;
  std::string text = split(chars(value, format), exponent);
  if (text.size() - text.find('.') - 1 > kDigits) text = split(chars(value, format, int(kDigits)), exponent);
  text.erase(text.find_last_not_of('0') + 1);
  return text + exponent;
}

/// Turns the numbers that are printed into texts of one width.
template <class T>
class Column {
 public:
  Column(const Tensor& x, const Places& places) {
    double largest = 0, smallest = std::numeric_limits<double>::infinity();
    if constexpr (std::is_floating_point_v<T>) {
      places.for_each([&](int64_t at) {
        const double size = std::abs(double(detail::ptr<T>(x)[at]));
        if (!std::isfinite(size) || size == 0) return;
        largest = std::max(largest, size);
        smallest = std::min(smallest, size);
      });
      scientific_ = largest > 0 && (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1000);
    }
    places.for_each([&](int64_t at) {
      const std::string text = raw(detail::ptr<T>(x)[at]);
      const size_t point = text.find('.'), e = text.find('e');
      if (point == std::string::npos) {
        plain_ = std::max(plain_, text.size());
      } else {
        left_ = std::max(left_, point);
        right_ = std::max(right_, std::min(e, text.size()) - point);
        exponent_ = std::max(exponent_, e == std::string::npos ? 0 : text.size() - e);
      }
    });
  }
  size_t width() const { return std::max(plain_, left_ + right_ + exponent_); }
  std::string operator()(T value) const {
    std::string text = raw(value);
    if (const size_t point = text.find('.'); point != std::string::npos) {
      const size_t end = std::min(text.find('e'), text.size());
      text.insert(end, right_ - (end - point), scientific_ ? '0' : ' ');
    }
    return std::string(width() - text.size(), ' ') + text;
  }

 private:
  std::string raw(T value) const {
    if constexpr (std::is_same_v<T, bool>) return value ? "True" : "False";
    if constexpr (std::is_integral_v<T>)
      return std::to_string(value);
    else
      return std::isnan(value)   ? "nan"
             : std::isinf(value) ? (value < 0 ? "-inf" : "inf")
                                 : digits(value, scientific_);
  }
  bool scientific_ = false;
  size_t plain_ = 0, left_ = 0, right_ = 0, exponent_ = 0;
};

template <class T>
void append_numbers(std::string& out, const Tensor& x, const Places& places, const Column<T>& column,
                    int64_t axis, int64_t offset) {
  const std::string indent(size_t(axis) + 1, ' ');
  const bool is_row = axis == x.dim() - 1;
  // One line break between rows, an empty line between matrices, and so on.
  const std::string between = is_row ? " " : std::string(size_t(x.dim() - 1 - axis), '\n') + indent;
  out += '[';
  size_t line = indent.size();
  bool first = true;
  places.for_each_index(axis, [&](int64_t i) {
    const size_t width = i < 0 ? 3 : column.width();
    if (is_row && !first && line + 1 + width + 1 > kColumns) {
      out += "\n" + indent;
      line = indent.size();
    } else if (!first) {
      out += between;
      line += 1;
    }
    first = false;
    line += width;
    const int64_t at = offset + i * x.strides()[axis];
    if (i < 0)
      out += "...";
    else if (is_row)
      out += column(detail::ptr<T>(x)[at]);
    else
      append_numbers(out, x, places, column, axis + 1, at);
  });
  out += ']';
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) return "(empty handle)";
  std::string out;
  if (tensor.numel() == 0)
    out = "[]";
  else
    detail::dispatch_all(tensor.dtype(), [&]<class T>(T) {
      const Places places(tensor);
      const Column<T> column(tensor, places);
      if (tensor.dim() == 0)
        out = column(*detail::ptr<T>(tensor));
      else
        append_numbers(out, tensor, places, column, 0, 0);
    });
  return out + " " + name(tensor.dtype()) + " " + to_string(tensor.shape());
}

}  // namespace tapegrad
