// cumsum: y_i = x_0 + ... + x_i along one axis, dx_i = dy_i + ... + dy_last, the sum from the other end. float32 is added up in
// float64.
//
// cumprod: y_i = x_0 ... x_i along one axis.
//   dx_k = sum over i >= k of dy_i (the product of x_0 ... x_i without x_k) = b_k s_k
//   b_k = x_0 ... x_(k-1)       s_k = dy_k + x_(k+1) s_(k+1), the sum over i >= k of dy_i x_(k+1) ... x_i
// which divides by nothing and so is right at zeros: one pass from the front, one from the end. x is saved.
//
// The composed form multiplies each element by the one 1, 2, 4, ... places before it: products only.
#include "compute/fused.h"
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor running_sum(const Tensor& x, int64_t axis, bool from_end) {
  const Tensor y = compute::cumsum(x, axis, from_end);
  return record("cumsum", y, {x}, {{"axis", axis}, {"from_end", from_end}},
                [axis, from_end](const Tensor& dy) -> Gradients { return {running_sum(dy, axis, !from_end)}; });
}

}  // namespace

Tensor cumsum(const Tensor& x, Axis axis) { return running_sum(x, wrap_axis("cumsum", axis, x.dim()), false); }

Tensor cumprod(const Tensor& x, Axis axis) {
  check_floating("cumprod", x);
  const int64_t at = wrap_axis("cumprod", axis, x.dim()), n = x.shape()[at];
  const auto composed = [at, n](const Tensors& in) {
    Tensor y = in[0].to(float64) * 1.0;  // between, a product may be no float32
    for (int64_t step = 1; step < n; step *= 2)
      y = concat({narrow(y, at, 0, step), narrow(y, at, step, n - step) * narrow(y, at, 0, n - step)}, at);
    return y.to(in[0].dtype());
  };
  return fused("cumprod", {x}, {{"axis", at}}, composed,
               compute::CumProd{compute::Reduction("cumprod", x.shape(), at)});
}

}  // namespace tapegrad
