// y = sum of x over some axes, or the mean: the sum divided by n, the number of elements behind one result.
//   dx = dy, or dy / n, expanded along them: every element adds to the sum with weight one
// Nothing is saved but the shape. The mean of nothing is 0 / 0 = NaN, as in NumPy and PyTorch; its gradient has no
// elements, and dy counts for nothing in it (1 / 0 times no elements would be NaN in the second derivative).
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sum(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("sum", x.shape(), axes, options.keepdim);
  if (!is_floating(x.dtype()))
    return record_nondifferentiable("sum", compute::count_sum(x, over), {x},
                                    {{"axes", over.axes().list()}, {"keepdim", over.keepdim}});
  const Tensor y = compute::reduce_sum("sum", x, over, 1);
  return record("sum", y, {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}},
                [over](const Tensor& dy) -> Gradients {
                  return {dy.reshape(over.kept_shape()).expand(over.input_shape())};
                });
}

Tensor mean(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("mean", x.shape(), axes, options.keepdim);
  const Tensor y = compute::reduce_sum("mean", x, over, double(over.n));
  return record("mean", y, {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}},
                [over](const Tensor& dy) -> Gradients {
                  const Tensor share = dy * (over.n > 0 ? 1.0 / double(over.n) : 0.0);
                  return {share.reshape(over.kept_shape()).expand(over.input_shape())};
                });
}

}  // namespace tapegrad
