// fmt::print("{}", x) and std::cout << x for whatever in tapegrad has a to_string: shapes, tensors, tapes,
// modules.
#pragma once
#include <fmt/format.h>

#include <ostream>
#include <string>

#include <tapegrad/dtype.h>
#include <tapegrad/shape.h>

namespace tapegrad {

inline std::string to_string(Dtype dtype) { return name(dtype); }

/// Set to true for a type whose to_string() serves fmt and streams.
template <class T>
inline constexpr bool is_printable = false;
template <>
inline constexpr bool is_printable<Dtype> = true;
template <>
inline constexpr bool is_printable<Shape> = true;

template <class T>
requires is_printable<T> std::ostream& operator<<(std::ostream& out, const T& value) { return out << to_string(value); }

namespace detail {
/// to_string(), looked up here: inside fmt's namespace fmt::to_string(T) would be a better match for a user's
/// module than that of its base class, and call the formatter again.
template <class T>
std::string printed(const T& value) {
  return to_string(value);
}
}  // namespace detail

}  // namespace tapegrad

template <class T>
requires tapegrad::is_printable<T>
struct fmt::formatter<T> : fmt::formatter<fmt::string_view> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(tapegrad::detail::printed(value), context);
  }
};
