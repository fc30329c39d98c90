// y = product of x over some axes.
//   dx_i = dy * product of the others
// which is not y / x_i where x_i is 0. One pass from the front leaves the product of the elements before i,
// one from the back multiplies by that of the elements after it. x is saved.
//
// The composed form multiplies halves of the axis until one element is left: products only, so that second
// derivatives are right at zero too.
#include "compute/fused.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor prod_composed(const Tensor& x, const compute::Reduction& over) {
  Tensor y = x.permute(over.order()).reshape({over.results(), over.n});
  if (over.n == 0) return sum(y, 1) + 1.0;  // 1, and recorded
  for (int64_t n = over.n; n > 1; n = (n + 1) / 2) {
    const Tensor product = narrow(y, 1, 0, n / 2) * narrow(y, 1, n / 2, n / 2);
    y = n % 2 ? concat({product, narrow(y, 1, n - 1, 1)}, 1) : product;
  }
  return y;
}

}  // namespace

Tensor prod(const Tensor& x, const Axes& axes, ReduceOptions options) {
  check_floating("prod", x);
  const compute::Reduction over("prod", x.shape(), axes, options.keepdim);
  const auto composed = [over](const Tensors& in) {
    return prod_composed(in[0], over).reshape(over.result_shape());
  };
  return fused("prod", {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}}, composed,
               compute::Prod{over});
}

}  // namespace tapegrad
