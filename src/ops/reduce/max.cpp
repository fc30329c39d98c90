// The largest or smallest element along axes, and where it stands.
//   max, min along one axis    dx = dy at the position that was taken, the first of equals; else 0
//   amax, amin, and all axes   dx = dy / c at each of the c equal ones
// Both are subgradients. The first saves the indices, the second x and y. A NaN is taken as soon as it is
// met, so NaN in is NaN out; where it is, no element equals y and the gradient is NaN.
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

using compute::Side;

Tensor extreme(const char* op, Side side, const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over(op, x.shape(), axes, options.keepdim);
  const Tensor y = empty(over.result_shape(), {.dtype = x.dtype()});
  compute::extremes(op, side, over, x, y, Tensor());
  return record(op, y, {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}},
                [over, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
                  const Tensor best = eq(x.get().detach(), y.get().detach().reshape(over.kept_shape())).to(dy.dtype());
                  const Tensor share = dy.reshape(over.kept_shape()) / sum(best, over.axes(), {.keepdim = true});
                  return {best * share};
                });
}

ValuesAndIndices with_indices(const char* op, Side side, const Tensor& x, int64_t axis, ReduceOptions options) {
  const compute::Reduction over(op, x.shape(), axis, options.keepdim);
  const Tensor values = empty(over.result_shape(), {.dtype = x.dtype()}),
               indices = empty(values.shape(), {.dtype = int64});
  compute::extremes(op, side, over, x, values, indices);
  const int64_t at = wrap_axis(op, axis, x.dim());
  const auto vjp = [over, at, indices = Saved(indices)](const Tensors& dy) -> Gradients {
    const Shape kept = over.kept_shape();
    const Tensor zero = zeros(over.input_shape(), {.dtype = dy[0].dtype()});
    return {scatter_add(zero, at, indices.get().reshape(kept), dy[0].reshape(kept))};
  };
  const Tensors both = record(op, Tensors{values, indices}, {x}, {{"axis", at}, {"keepdim", over.keepdim}}, vjp);
  return {both[0], both[1]};
}

Tensor position(const char* op, Side side, const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over(op, x.shape(), axes, options.keepdim);
  const Tensor y = empty(over.result_shape(), {.dtype = int64});
  compute::extremes(op, side, over, x, Tensor(), y);
  return record_nondifferentiable(op, y, {x}, {{"axes", over.axes().list()}, {"keepdim", over.keepdim}});
}

}  // namespace

Tensor amax(const Tensor& x, const Axes& axes, ReduceOptions options) {
  return extreme("amax", Side::largest, x, axes, options);
}
Tensor amin(const Tensor& x, const Axes& axes, ReduceOptions options) {
  return extreme("amin", Side::smallest, x, axes, options);
}
Tensor max(const Tensor& x) { return extreme("max", Side::largest, x, {}, {}); }
Tensor min(const Tensor& x) { return extreme("min", Side::smallest, x, {}, {}); }
ValuesAndIndices max(const Tensor& x, Axis axis, ReduceOptions options) {
  return with_indices("max", Side::largest, x, axis, options);
}
ValuesAndIndices min(const Tensor& x, Axis axis, ReduceOptions options) {
  return with_indices("min", Side::smallest, x, axis, options);
}
Tensor argmax(const Tensor& x) { return position("argmax", Side::largest, x, {}, {}); }
Tensor argmin(const Tensor& x) { return position("argmin", Side::smallest, x, {}, {}); }
Tensor argmax(const Tensor& x, Axis axis, ReduceOptions options) {
  return position("argmax", Side::largest, x, int64_t(axis), options);
}
Tensor argmin(const Tensor& x, Axis axis, ReduceOptions options) {
  return position("argmin", Side::smallest, x, int64_t(axis), options);
}

}  // namespace tapegrad
