// y = sum(x) / n over some axes, n the number of elements behind one result.
//   dx = dy / n, expanded along them
// Nothing is saved but the shape. The mean of nothing is 0 / 0 = NaN, as in NumPy and PyTorch; its gradient has no
// elements, and dy counts for nothing in it (1 / 0 times no elements would be NaN in the second derivative).
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor mean(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("mean", x.shape(), axes);
  Tensor y = compute::reduce_sum("mean", x, over, options.keepdim, double(over.n));
  return record("mean", y, {x}, [over](const Tensor& dy) -> Gradients {
    return {(dy * (over.n > 0 ? 1.0 / double(over.n) : 0.0))
                .reshape(over.kept_shape())
                .expand(over.input_shape())};
  });
}

}  // namespace tapegrad
