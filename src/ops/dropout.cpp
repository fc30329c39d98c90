// y = x m, where m is 0 with probability p, else 1 / (1 - p).
//   dx = dy m
// m is saved: backward must not draw anew. Dividing here and not in evaluation (inverted dropout) leaves
// evaluation the identity.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor dropout(const Tensor& x, double p) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("dropout", "p must be in [0, 1], got {}", p);
  if (!is_floating(x.dtype())) detail::fail_not_floating("dropout", x.dtype());
  if (p == 0) return x;
  if (p == 1) return x * 0.0;
  const Tensor m = bernoulli(x.shape(), 1 - p, {.dtype = x.dtype()}) * (1 / (1 - p));
  Tensor y = map2("dropout", x.detach(), m, [](auto x, auto m) { return x * m; });
  return record("dropout", y, {x}, [m = Saved(m)](const Tensor& dy) -> Gradients { return {dy * m}; });
}

}  // namespace tapegrad
