// Conditions as constants: what is the same for a whole array is decided before its loop.
#pragma once
#include <type_traits>

namespace tapegrad::kernels {

/// f(c...), where each c is a condition as a constant: one body for each combination.
template <class F>
inline void with_constants(F f) {
  f();
}
template <class F, class... More>
inline void with_constants(F f, bool condition, More... more) {
  if (condition)
    with_constants([=](auto... c) { f(std::true_type{}, c...); }, more...);
  else
    with_constants([=](auto... c) { f(std::false_type{}, c...); }, more...);
}

}  // namespace tapegrad::kernels
