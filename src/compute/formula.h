// Makes one formula work on numbers and on tensors: with this header the functions of numbers stand beside the
// operations of the same names, and overloading chooses.
//
//   const auto vjp = [](auto dy, auto x) { return where(x > 0, dy, 0) * exp(x); };
//
// Constants that are no integers are written constant(x, 0.5): a double literal would turn float arithmetic
// into double.
#pragma once
#include <cmath>

#include "kernels/vector/math.h"

namespace tapegrad {

using kernels::math::erf;
using kernels::math::exp;
using kernels::math::expm1;
using kernels::math::log;
using kernels::math::log1p;
using kernels::math::sigmoid;
using kernels::math::tanh;

using std::abs;
using std::cos;
using std::sin;
using std::sqrt;

/// `yes` where the condition holds, else `no`; the one that is dy comes as float or double, the other may be
/// an integer literal.
inline float where(bool condition, float yes, float no) { return condition ? yes : no; }
inline double where(bool condition, double yes, double no) { return condition ? yes : no; }

/// A constant of a formula, in the type of x where x is a number.
template <class T>
auto constant(const T&, double value) {
  if constexpr (std::is_arithmetic_v<T>)
    return T(value);
  else
    return value;
}

}  // namespace tapegrad
