// softmax:      y = exp(x - lse),  log_softmax:  y = x - lse,  lse = ln sum exp(x) along one axis.
//   softmax       dx = y (dy - sum(dy y))      from dy_i/dx_j = y_i ([i = j] - y_j)
//   log_softmax   dx = dy - exp(y) sum(dy)
// Both save y, not x. The largest element is subtracted before exp, so that any finite row is safe; the sum
// is in float64. Another axis than the last is moved there by a copy.
#include "compute/fused.h"
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

}  // namespace tapegrad
