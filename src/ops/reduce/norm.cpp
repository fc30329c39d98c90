// y = (sum |x|^p)^(1/p) over some axes.
//   p = 2   dx = dy x / y, and 0 where y is 0 (a subgradient there)
//   p = 1   the sum of |x|, p = infinity the largest: composed, so an element of 0 gets the gradient 0
// For p = 2 the squares are added up in float64, so elements of 1e20 do not overflow float32. x and y are
// saved. A norm of float64 values beyond 1e154 is infinite.
#include <cmath>

#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor norm(const Tensor& x, const Axes& axes, VectorNormOptions options) {
  const auto [p, keepdim] = options;
  if (p == 1) return sum(abs(x), axes, {.keepdim = keepdim});
  if (std::isinf(p)) return amax(abs(x), axes, {.keepdim = keepdim});
  if (p != 2) fail<ValueError>("norm", "p must be 1, 2 or infinity, got {}", p);
  const compute::Reduction over("norm", x.shape(), axes, keepdim);
  const Tensor y = compute::vector_norm(x, over);
  return record("norm", y, {x}, {{"axes", over.axes().list()}, {"keepdim", keepdim}},
                [over, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
                  return {x * divide_or_zero(dy, y).reshape(over.kept_shape())};
                });
}

}  // namespace tapegrad
