// y = sum of x over some axes, or the mean: the sum divided by n, the number of elements behind one result.
//   dx = dy, or dy / n, expanded along them: every element adds to the sum with weight one
// Nothing is saved but the shape. The mean of nothing is 0 / 0 = NaN, as in NumPy and PyTorch; its gradient has no
// elements, and dy counts for nothing in it (1 / 0 times no elements would be NaN in the second derivative).
//
// y = product of x over some axes.
//   dx_i = dy * product of the others
// which is not y / x_i where x_i is 0. One pass from the front leaves the product of the elements before i,
// one from the back multiplies by that of the elements after it. x is saved.
//
// The composed form multiplies halves of the axis until one element is left: products only, so that second
// derivatives are right at zero too.
#include "compute/fused.h"
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor sum(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("sum", x.shape(), axes, options.keepdim);
  if (!is_floating(x.dtype()))
    return record_nondifferentiable("sum", compute::count_sum(x, over), {x},
                                    {{"axes", over.axes().list()}, {"keepdim", over.keepdim}});
  const Tensor y = compute::reduce_sum("sum", x, over, 1);
  return record(
      "sum", y, {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}},
      [over](const Tensor& dy) -> Gradients { return {dy.reshape(over.kept_shape()).expand(over.input_shape())}; });
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
  const auto composed = [over](const Tensors& in) { return prod_composed(in[0], over).reshape(over.result_shape()); };
  return fused("prod", {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}}, composed, compute::Prod{over});
}

}  // namespace tapegrad
