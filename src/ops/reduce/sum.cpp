// y = sum of x over some axes.
//   dx = dy, expanded along them: every element adds to the sum with weight one
// Nothing is saved but the shape.
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sum(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("sum", x.shape(), axes);
  Tensor y = compute::reduce_sum("sum", x, over, options.keepdim, 1);
  return record("sum", y, {x}, [over](const Tensor& dy) -> Gradients {
    return {dy.reshape(over.kept_shape()).expand(over.input_shape())};
  });
}

}  // namespace tapegrad
