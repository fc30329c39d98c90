// softmax:      y = exp(x - lse),  log_softmax:  y = x - lse,  lse = ln sum exp(x) along one axis.
//   softmax       dx = y (dy - sum(dy y))      from dy_i/dx_j = y_i ([i = j] - y_j)
//   log_softmax   dx = dy - exp(y) sum(dy)
// Both save y, not x. The largest element is subtracted before exp, so that any finite row is safe; the sum
// is in float64. Another axis than the last is moved there by a copy.
#include "compute/softmax.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// x less its largest element; there is none in an empty x.
Tensor shifted(const Tensor& x, int64_t axis) {
  return x.numel() == 0 ? x : x - amax(x.detach(), axis, {.keepdim = true});
}

Tensor softmax_composed(const Tensor& x, int64_t axis) {
  const Tensor e = exp(shifted(x, axis));
  return e / sum(e, axis, {.keepdim = true});
}

Tensor log_softmax_composed(const Tensor& x, int64_t axis) {
  const Tensor z = shifted(x, axis);
  return z - log(sum(exp(z), axis, {.keepdim = true}));
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t axis) {
  const int64_t at = wrap_axis("softmax", axis, x.dim());
  return fused(
      "softmax", {x}, {{"axis", at}}, [at](const Tensors& in) { return softmax_composed(in[0], at); },
      compute::Softmax{at},
      [at](const Tensors& dy, const Tensors& y, Needs) -> Gradients {
        return {y[0] * (dy[0] - sum(dy[0] * y[0], at, {.keepdim = true}))};
      });
}

Tensor log_softmax(const Tensor& x, int64_t axis) {
  const int64_t at = wrap_axis("log_softmax", axis, x.dim());
  return fused(
      "log_softmax", {x}, {{"axis", at}}, [at](const Tensors& in) { return log_softmax_composed(in[0], at); },
      compute::LogSoftmax{at},
      [at](const Tensors& dy, const Tensors& y, Needs) -> Gradients {
        return {dy[0] - exp(y[0]) * sum(dy[0], at, {.keepdim = true})};
      });
}

}  // namespace tapegrad
