// y = sum((x - mu)^2) / (n - correction), mu the mean over the same axes.
//   dx = dy 2 (x - mu) / (n - correction)
// because dmu/dx drops out: the sum of x - mu is zero. x is saved, and mu is computed again.
//
// Two passes, mean and differences in float64: one pass with sum(x^2) - n mu^2 loses every digit of
// [40000, 40001, 40002, 40003] in float32, and so do differences from a mean that was rounded to float32.
//
// std is sqrt(y):   dx = dy (x - mu) / ((n - correction) std), and 0 where std is 0, as in PyTorch.
//
// norm: y = (sum |x|^p)^(1/p) over some axes.
//   p = 2   dx = dy x / y, and 0 where y is 0 (a subgradient there)
//   p = 1   the sum of |x|, p = infinity the largest: composed, so an element of 0 gets the gradient 0
// For p = 2 the squares are added up in float64, so elements of 1e20 do not overflow float32. x and y are
// saved. A norm of float64 values beyond 1e154 is infinite.
#include <algorithm>
#include <cmath>

#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// The variance, or its root.
Tensor spread(const char* op, const Tensor& x, const Axes& axes, const VarOptions& options, bool root) {
  const compute::Reduction over(op, x.shape(), axes, options.keepdim);
  // 0 where nothing is left to divide by, as NumPy and PyTorch have it.
  const double divisor = double(std::max<int64_t>(over.n - options.correction, 0));
  const Tensor y = compute::variance(op, x, over, divisor, root);
  const auto vjp = [over, divisor, root, x = Saved(x), y = Saved(root ? y : Tensor())](const Tensor& dy) -> Gradients {
    const Tensor weight = root ? divide_or_zero(dy, y) * (1 / divisor) : dy * (2 / divisor);
    const Tensor wide = x.get().to(float64), centered = wide - mean(wide, over.axes(), {.keepdim = true});
    return {(centered * weight.reshape(over.kept_shape()).to(float64)).to(dy.dtype())};
  };
  return record(op, y, {x},
                {{"axes", over.axes().list()}, {"correction", options.correction}, {"keepdim", over.keepdim}}, vjp);
}

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, VarOptions options) { return spread("var", x, axes, options, false); }
Tensor std(const Tensor& x, const Axes& axes, VarOptions options) { return spread("std", x, axes, options, true); }

Tensor norm(const Tensor& x, const Axes& axes, VectorNormOptions options) {
  const auto [p, keepdim] = options;
  if (p == 1) return sum(abs(x), axes, {.keepdim = keepdim});
  if (std::isinf(p)) return amax(abs(x), axes, {.keepdim = keepdim});
  if (p != 2) fail<ValueError>("norm", "p must be 1, 2 or infinity, got {}", p);
  const compute::Reduction over("norm", x.shape(), axes, keepdim);
  const Tensor y = compute::vector_norm(x, over);
  return record("norm", y, {x}, {{"axes", over.axes().list()}, {"keepdim", keepdim}},
                [over, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
                  return {x * divide_or_zero(dy, y).reshape(over.kept_shape())};
                });
}

}  // namespace tapegrad
