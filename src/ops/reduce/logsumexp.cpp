// y = ln sum exp(x) over some axes.
//   dx = dy exp(x - y) = dy softmax(x)
// because dy/dx_i = exp(x_i) / sum exp(x). x is saved. The largest element is taken out of the sum, so that no
// finite x overflows; the sum is in float64. softmax() does the same, where x - y would have only the digits
// that y has in x's dtype.
#include <limits>

#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// softmax() over several axes: they are brought to the end and read as one.
Tensor softmax_over(const Tensor& x, const compute::Reduction& over) {
  const Tensor moved = x.permute(over.order());
  const Tensor y = softmax(moved.reshape({over.results(), over.n}), -1);
  return y.reshape(moved.shape()).permute(over.inverse_order());
}

}  // namespace

Tensor logsumexp(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("logsumexp", x.shape(), axes, options.keepdim);
  if (over.n == 0) return sum(x, axes, options) - std::numeric_limits<double>::infinity();
  const Tensor y = compute::logsumexp(x, over).to(x.dtype());
  return record("logsumexp", y, {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}},
                [over, x = Saved(x)](const Tensor& dy) -> Gradients {
                  return {softmax_over(x, over) * dy.reshape(over.kept_shape())};
                });
}

}  // namespace tapegrad
