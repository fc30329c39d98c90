// y = sum((x - mu)^2) / (n - correction), mu the mean over the same axes.
//   dx = dy 2 (x - mu) / (n - correction)
// because dmu/dx drops out: the sum of x - mu is zero. x is saved, and mu is computed again.
//
// Two passes, mean and differences in float64: one pass with sum(x^2) - n mu^2 loses every digit of
// [40000, 40001, 40002, 40003] in float32, and so do differences from a mean that was rounded to float32.
//
// std is sqrt(y):   dx = dy (x - mu) / ((n - correction) std), and 0 where std is 0, as in PyTorch.
#include <algorithm>

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
  const auto vjp = [over, divisor, root, x = Saved(x),
                    y = Saved(root ? y : Tensor())](const Tensor& dy) -> Gradients {
    const Tensor weight = root ? divide_or_zero(dy, y) * (1 / divisor) : dy * (2 / divisor);
    const Tensor wide = x.get().to(float64), centered = wide - mean(wide, over.axes(), {.keepdim = true});
    return {(centered * weight.reshape(over.kept_shape()).to(float64)).to(dy.dtype())};
  };
  return record(op, y, {x},
                {{"axes", over.axes().list()}, {"correction", options.correction}, {"keepdim", over.keepdim}},
                vjp);
}

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, VarOptions options) {
  return spread("var", x, axes, options, false);
}
Tensor std(const Tensor& x, const Axes& axes, VarOptions options) {
  return spread("std", x, axes, options, true);
}

}  // namespace tapegrad
