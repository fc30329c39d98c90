// softmax:      y = exp(x - lse),  log_softmax:  y = x - lse,  lse = ln sum exp(x) along one axis.
//   softmax       dx = y (dy - sum(dy y))      from dy_i/dx_j = y_i ([i = j] - y_j)
//   log_softmax   dx = dy - exp(y) sum(dy)
// Both save y, not x. The largest element is subtracted before exp, so that any finite row is safe; the sum
// is in float64. Another axis than the last is moved there by a copy.
//
// logsumexp: y = ln sum exp(x) over some axes.
//   dx = dy exp(x - y) = dy softmax(x)
// because dy/dx_i = exp(x_i) / sum exp(x). x is saved. The gradient is softmax(), for x - y
// would have only the digits that y has in x's dtype.
#include <limits>

#include "compute/fused.h"
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// x less its largest element; there is none in an empty x.
Tensor shifted(const Tensor& x, int64_t axis) {
  return x.numel() == 0 ? x : x - amax(x.detach(), axis, {.keepdim = true});
}

}  // namespace

Tensor softmax(const Tensor& x, Axis axis) {
  const int64_t at = wrap_axis("softmax", axis, x.dim());
  const auto composed = [at](const Tensors& in) {
    const Tensor e = exp(shifted(in[0], at));
    return e / sum(e, at, {.keepdim = true});
  };
  const auto derivative = [at](const Tensors& dy, const Tensors& y, Needs) -> Gradients {
    return {y[0] * (dy[0] - sum(dy[0] * y[0], at, {.keepdim = true}))};
  };
  return fused("softmax", {x}, {{"axis", at}}, composed, compute::Softmax{at, false}, derivative);
}

Tensor log_softmax(const Tensor& x, Axis axis) {
  const int64_t at = wrap_axis("log_softmax", axis, x.dim());
  const auto composed = [at](const Tensors& in) {
    const Tensor z = shifted(in[0], at);
    return z - log(sum(exp(z), at, {.keepdim = true}));
  };
  const auto derivative = [at](const Tensors& dy, const Tensors& y, Needs) -> Gradients {
    return {dy[0] - exp(y[0]) * sum(dy[0], at, {.keepdim = true})};
  };
  return fused("log_softmax", {x}, {{"axis", at}}, composed, compute::Softmax{at, true}, derivative);
}

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
