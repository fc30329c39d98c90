// y_i = x_0 + ... + x_i along one axis.
//   dx_i = dy_i + ... + dy_last
// the sum from the other end: x_i is in every y from i on. Nothing is saved. float32 is added up in float64.
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor running_sum(const Tensor& x, int64_t axis, bool from_end) {
  const Tensor y = compute::cumsum(x, axis, from_end);
  return record(
      "cumsum", y, {x}, {{"axis", axis}, {"from_end", from_end}},
      [axis, from_end](const Tensor& dy) -> Gradients { return {running_sum(dy, axis, !from_end)}; });
}

}  // namespace

Tensor cumsum(const Tensor& x, Axis axis) {
  return running_sum(x, wrap_axis("cumsum", axis, x.dim()), false);
}

}  // namespace tapegrad
