// y = sum((x - mu)^2) / (n - correction), mu the mean over the same axes.
//   dx = dy 2 (x - mu) / (n - correction)
// because dmu/dx drops out: the sum of x - mu is zero. x is saved, and mu is computed again.
//
// Two passes, mean and differences in float64: one pass with sum(x^2) - n mu^2 loses every digit of
// [40000, 40001, 40002, 40003] in float32.
//
// std is sqrt(y):   dx = dy (x - mu) / ((n - correction) std), and 0 where std is 0, as in PyTorch.
#include <algorithm>

#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// 0 / 0 where nothing is left to divide by, as NumPy and PyTorch have it.
double divisor(const compute::Reduction& over, const VarOptions& options) {
  return double(std::max<int64_t>(over.n - options.correction, 0));
}

// (x - mu) weight, in float64: with a mean rounded to float32 the differences lose their digits where it is large.
Tensor centered_times(const Tensor& x, const Tensor& weight, const compute::Reduction& over) {
  const Tensor wide = x.to(float64);
  const Tensor centered = wide - mean(wide, over.axes(), {.keepdim = true});
  return (centered * weight.reshape(over.kept_shape()).to(float64)).to(x.dtype());
}

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, VarOptions options) {
  const compute::Reduction over("var", x.shape(), axes);
  return record("var", compute::variance("var", x, over, options.keepdim, divisor(over, options), false), {x},
                [over, options, x = Saved(x)](const Tensor& dy) -> Gradients {
                  return {centered_times(x, dy * (2 / divisor(over, options)), over)};
                });
}

Tensor std(const Tensor& x, const Axes& axes, VarOptions options) {
  const compute::Reduction over("std", x.shape(), axes);
  const Tensor y = compute::variance("std", x, over, options.keepdim, divisor(over, options), true);
  return record("std", y, {x}, [over, options, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
    const Tensor weight = divide_or_zero(dy, y) * (1 / divisor(over, options));
    return {centered_times(x, weight, over)};
  });
}

}  // namespace tapegrad
