// File: ops/math.h
//
// Functions of one number, applied to every element, and powers. **Shape**: any, the same for input and
// output.
// **Throws** DtypeError unless the input is float32 or float64. **Numerics**: float32 is vectorized with
// errors of about one unit in the last place, float64 takes the C library; NaN in is NaN out.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y = e^x.   dx = dy y.
Tensor exp(const Tensor& x);
/// y = e^x - 1, exact to rounding also near 0.   dx = dy (y + 1).
Tensor expm1(const Tensor& x);
/// y = ln(x).   dx = dy / x. -inf at 0, NaN below.
Tensor log(const Tensor& x);
/// y = ln(1 + x), exact to rounding also near 0.   dx = dy / (1 + x).
Tensor log1p(const Tensor& x);
/// y = sqrt(x).   dx = dy / (2 y), infinite at 0.
Tensor sqrt(const Tensor& x);
/// y = 1 / sqrt(x).   dx = -dy y^3 / 2.
Tensor rsqrt(const Tensor& x);
/// y = tanh(x), in (-1, 1).   dx = dy (1 - y^2).
Tensor tanh(const Tensor& x);

}  // namespace tapegrad
