// Reductions over all elements, one axis or several: sum(x), sum(x, -1), sum(x, {0, 2}, {.keepdim = true}),
// sum(x, {.keepdim = true}); and what runs along one axis: softmax, cumsum.
//
// **Shape**: the reduced axes vanish, or stay with size 1 under keepdim. **Throws** (all of them) IndexError
// for an axis that the tensor does not have, or that is named twice; DtypeError unless the input is floating
// (sum, max, min and their like take int64 too). **Numerics**: float32 is added up in float64, in an order that
// the shape fixes.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

struct ReduceOptions {
  bool keepdim = false;  ///< keep the reduced axes with size 1
};

/// Values, and where they stood along the axis.
struct ValuesAndIndices {
  Tensor values;
  Tensor indices;  ///< int64; no gradient
};

/// The sum; 0 where there is nothing to add. **Gradient**: dx = dy, repeated. The sum of int64 is int64, and so is that of a
/// mask, the number of its true elements; no gradient.
///
///     sum(eq(argmax(logits, 1), labels)).item<int64_t>();     // how many are right
Tensor sum(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// The sum divided by the number of elements; NaN where there are none. **Gradient**: dx = dy / n, repeated.
Tensor mean(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// The product; 1 of nothing. **Gradient**: dx = dy times the product of the others, right at zeros too.
Tensor prod(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

struct VarOptions {
  int64_t correction = 1;  ///< divide by n - correction: 1 is Bessel's, 0 the variance of the numbers themselves
  bool keepdim = false;    ///< keep the reduced axes with size 1
};

/// The variance: sum((x - mean)^2) / (n - correction), in two passes; infinite or NaN for n <= correction.
/// **Gradient**: dx = dy 2 (x - mean) / (n - correction).
Tensor var(const Tensor& x, const Axes& axes = {}, VarOptions options = {});

/// The standard deviation: the root of var(). Written tapegrad::std(x) under `using namespace tapegrad`.
/// **Gradient**: dx = dy (x - mean) / ((n - correction) y), and 0
/// where y is 0.
Tensor std(const Tensor& x, const Axes& axes = {}, VarOptions options = {});

struct VectorNormOptions {
  double p = 2;          ///< 1, 2 or infinity: sum of magnitudes, length, largest magnitude
  bool keepdim = false;  ///< keep the reduced axes with size 1
};

/// The p-norm: (sum |x|^p)^(1/p). **Throws** ValueError for another p. **Gradient**: for p = 2 dx = dy x / y,
/// for p = 1 dx = dy sign(x), for p = infinity dx = dy sign(x) shared evenly by the largest; 0 where x is 0.
Tensor norm(const Tensor& x, const Axes& axes = {}, VectorNormOptions options = {});

/// The largest and smallest elements along axes; NaN if one of them is. **Throws** ShapeError where there is
/// none. **Gradient**: shared evenly by equal elements.
Tensor amax(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});
Tensor amin(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// The largest and smallest element of the whole tensor: as amax() and amin().
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
/// The largest and smallest along one axis, with the index of the first of equals. **Gradient**: to that
/// element alone.
///
///     auto [values, indices] = max(scores, -1);
ValuesAndIndices max(const Tensor& x, Axis axis, ReduceOptions options = {});
ValuesAndIndices min(const Tensor& x, Axis axis, ReduceOptions options = {});

/// The position of the first largest or smallest element (int64, no gradient): in row-major order, or along
/// an axis.
Tensor argmax(const Tensor& x);
Tensor argmin(const Tensor& x);
Tensor argmax(const Tensor& x, Axis axis, ReduceOptions options = {});
Tensor argmin(const Tensor& x, Axis axis, ReduceOptions options = {});

/// ln sum exp(x), finite for any finite x; -inf of nothing. **Gradient**: dx = dy exp(x - y), from y in the dtype
/// of x, as in PyTorch: in float32 its digits become fewer where |y| is large.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// exp(x) / sum exp(x) along an axis: positive, and 1 in sum. **Gradient**: dx = y (dy - sum(dy y)).
/// **Numerics**: safe for any finite x; an element of -inf gets 0, a row of nothing else NaN.
Tensor softmax(const Tensor& x, Axis axis = -1);

/// ln softmax(x), without the loss of digits that the two in a row have. **Gradient**:
/// dx = dy - exp(y) sum(dy).
Tensor log_softmax(const Tensor& x, Axis axis = -1);

/// Running sums along an axis: y_i = x_0 + ... + x_i. **Gradient**: running sums of dy from the other end.
Tensor cumsum(const Tensor& x, Axis axis);

/// Running products along an axis: y_i = x_0 ... x_i. **Gradient**: dx_k = sum over i >= k of dy_i times the product of the
/// others up to i, right at zeros too. **Numerics**: in float64.
Tensor cumprod(const Tensor& x, Axis axis);

// Options without axes, over all of them: var(x, {.correction = 0}). Templates, because {} and {1} could be
// either, and then what is no template goes first: axes.
template <int = 0>
Tensor sum(const Tensor& x, ReduceOptions options) {
  return sum(x, {}, options);
}
template <int = 0>
Tensor mean(const Tensor& x, ReduceOptions options) {
  return mean(x, {}, options);
}
template <int = 0>
Tensor prod(const Tensor& x, ReduceOptions options) {
  return prod(x, {}, options);
}
template <int = 0>
Tensor var(const Tensor& x, VarOptions options) {
  return var(x, {}, options);
}
template <int = 0>
Tensor std(const Tensor& x, VarOptions options) {
  return std(x, {}, options);
}
template <int = 0>
Tensor norm(const Tensor& x, VectorNormOptions options) {
  return norm(x, {}, options);
}
template <int = 0>
Tensor amax(const Tensor& x, ReduceOptions options) {
  return amax(x, {}, options);
}
template <int = 0>
Tensor amin(const Tensor& x, ReduceOptions options) {
  return amin(x, {}, options);
}
template <int = 0>
Tensor logsumexp(const Tensor& x, ReduceOptions options) {
  return logsumexp(x, {}, options);
}

}  // namespace tapegrad
