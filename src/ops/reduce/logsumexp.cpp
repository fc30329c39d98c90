// y = ln sum exp(x) over some axes.
//   dx = dy exp(x - y)
// because dy/dx_i = exp(x_i) / sum exp(x). x and y are saved. The largest element is taken out of the sum, so
// that no finite x overflows; the sum is in float64.
#include <limits>

#include "compute/softmax.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor logsumexp(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("logsumexp", x.shape(), axes);
  if (over.n == 0) return sum(x, axes, options) - std::numeric_limits<double>::infinity();
  const Tensor y = compute::logsumexp(x, over, options.keepdim).to(x.dtype());
  return record("logsumexp", y, {x}, [over, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
    return {exp(x - y.get().reshape(over.kept_shape())) * dy.reshape(over.kept_shape())};
  });
}

}  // namespace tapegrad
