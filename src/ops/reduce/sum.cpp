// y = sum of x over some axes.
//   dx = dy, expanded along them: every element adds to the sum with weight one
// Nothing is saved but the shape.
#include "autograd/state.h"
#include "ops/elementwise.h"
#include "ops/reduce/reduction.h"

namespace tapegrad {

Tensor sum(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const Reduction over("sum", x.shape(), axes);
  Tensor y = reduce_sum("sum", x, over, options.keepdim, 1);
  return record("sum", y, {x}, [over](const Tensor& dy) -> Gradients {
    return {dy.reshape(over.kept_shape()).expand(over.input_shape())};
  });
}

Tensor detail::sum_to_shape(const Tensor& gradient, const Shape& shape) {
  Shape axes;
  const int64_t lead = gradient.dim() - shape.size();
  for (int64_t i = 0; i < gradient.dim(); ++i)
    if (i < lead || (shape[i - lead] == 1 && gradient.shape()[i] != 1)) axes.push_back(i);
  const Tensor kept = axes.empty() ? gradient : sum(gradient, Axes(axes), {.keepdim = true});
  return kept.reshape(shape);
}

}  // namespace tapegrad
