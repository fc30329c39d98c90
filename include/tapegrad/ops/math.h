// Functions of one number, applied to every element, and powers. **Shape**: any, the same for input and output; two
// inputs broadcast as in arithmetic.h, and the gradient is summed over the axes along which an input was repeated.
// **Throws** (all of them) DtypeError unless the inputs are float32 or float64 and of one dtype, ShapeError if two do not
// broadcast. **Numerics**: float32 is vectorized with errors of about one unit in the last place, float64 takes the C
// library; NaN in is NaN out, and beyond float's range lie infinity and 0.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y = e^x.   dx = dy y.
Tensor exp(const Tensor& x);
/// y = e^x - 1, exact to rounding also near 0.   dx = dy (y + 1).
Tensor expm1(const Tensor& x);
/// y = ln(x).   dx = dy / x. -inf at 0, NaN below.
Tensor log(const Tensor& x);
/// y = log2(x), exact at the powers of 2.   dx = dy / (x ln 2). As log() at 0 and below.
Tensor log2(const Tensor& x);
/// y = ln(1 + x), exact to rounding also near 0.   dx = dy / (1 + x).
Tensor log1p(const Tensor& x);
/// y = sqrt(x), NaN below 0.   dx = dy / (2 y), infinite at 0.
Tensor sqrt(const Tensor& x);
/// y = 1 / sqrt(x), infinite at 0, NaN below.   dx = -dy y^3 / 2.
Tensor rsqrt(const Tensor& x);
/// y = x^2.   dx = 2 dy x.
Tensor square(const Tensor& x);
/// y = 1 / x, infinite at 0.   dx = -dy y^2.
Tensor reciprocal(const Tensor& x);
/// y = |x|.   dx = dy sign(x): at the kink 0, as in PyTorch.
Tensor abs(const Tensor& x);
/// -1, 0 or 1, the sign of x; NaN of NaN, in PyTorch 0. No gradient.
Tensor sign(const Tensor& x);
/// The next whole number at or below x. In x's dtype; x.to(int64) makes indices of it. No gradient.
Tensor floor(const Tensor& x);
/// The next whole number at or above x. Else as floor().
Tensor ceil(const Tensor& x);
/// The nearest whole number, of two the even one. 0.5 becomes 0 and 1.5 becomes 2. Else as floor().
Tensor round(const Tensor& x);
/// x without its fraction. Else as floor().
Tensor trunc(const Tensor& x);
/// y = sin(x), x in radians.   dx = dy cos(x). **Numerics**: the C library's in float32 too, exact for large x.
Tensor sin(const Tensor& x);
/// y = cos(x), x in radians.   dx = -dy sin(x). **Numerics**: as sin().
Tensor cos(const Tensor& x);
/// y = tanh(x), in (-1, 1).   dx = dy (1 - y^2).
Tensor tanh(const Tensor& x);
/// y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.   dx = dy 2 / sqrt(pi) exp(-x^2).
Tensor erf(const Tensor& x);

/// y = a^b; two tensors broadcast. **Gradient**: da = dy b a^(b-1), 0 where b is 0; db = dy y ln(a), 0 where
/// a is 0 and b >= 0, NaN where a is negative. As in PyTorch. A number gets none. **Numerics**: the C library's pow, whose
/// square root of -infinity is infinity and of -0 is 0; the exponents 2 and 3, as numbers, are products.
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, double b);
Tensor pow(double a, const Tensor& b);

/// a - b floor(a / b): what is left of a, with the sign of b, as Python's %. Of int64 too, without gradient; then **throws**
/// ValueError where b is 0, which in floating numbers gives NaN. **Gradient**: da = dy, db = -dy floor(a / b).
/// **Numerics**: exact but for one rounding.
Tensor remainder(const Tensor& a, const Tensor& b);
Tensor remainder(const Tensor& a, double b);

/// The angle of the point (b, a) to the first axis, in [-pi, pi]: the arc tangent of a / b, in the right quadrant.
/// **Gradient**: da = dy b / (a^2 + b^2), db = -dy a / (a^2 + b^2), NaN at the origin. **Numerics**: the C library's.
Tensor atan2(const Tensor& a, const Tensor& b);

/// The larger of a and b; they broadcast. **Gradient**: dy goes to the larger, and half to each where they
/// are equal; where one is NaN it goes to neither, in PyTorch to both. **Numerics**: NaN if either is NaN.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, double b);
Tensor maximum(double a, const Tensor& b);
/// The smaller of a and b; gradient and NaN as in maximum().
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, double b);
Tensor minimum(double a, const Tensor& b);

/// x moved into [low, high]; either may be infinite. **Throws** ValueError unless low <= high. **Gradient**:
/// dx = dy inside and at the bounds, 0 beyond. **Numerics**: NaN stays NaN, and its gradient is dy, in PyTorch 0.
Tensor clamp(const Tensor& x, double low, double high);

}  // namespace tapegrad
