// Root mean square normalization: layer normalization (layer_norm.cpp) that does not subtract a mean. For one
// row of d elements:
//
//   rstd = (mean(x^2) + eps)^(-1/2)     xhat = x rstd     y = xhat weight
//
// Backward, with g = dy weight, as there but for the path through mu:
//
//   dweight_j = sum over rows of dy_j xhat_j
//   dx_i      = rstd (g_i - xhat_i mean(g xhat))
//
// dx has no component along x (but for eps): stretching a row does not change xhat. Shifting it does.
//
// Saved: x, and rstd, one float64 number a row. Numerics and order of sums are layer_norm's.
//
// Source: Zhang, Sennrich (2019), Root Mean Square Layer Normalization, arXiv:1910.07467, equation 4.
#include "compute/fused.h"
#include "ops/norm/norm.h"

namespace tapegrad {

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, NormOptions options) {
  const double eps = options.eps;
  const Axes axes = check_norm("rms_norm", x, normalized_shape, weight, {}, eps);
  const auto composed = [axes, eps](const Tensors& in) {
    const Tensor x = in[0].to(float64), xhat = x * rsqrt(mean(x * x, axes, {.keepdim = true}) + eps);
    return (in[1].defined() ? xhat * in[1].to(float64) : xhat).to(in[0].dtype());
  };
  return fused("rms_norm", {x, weight}, {{"normalized_shape", normalized_shape}, {"eps", eps}}, composed,
               compute::LayerNorm{normalized_shape.numel(), eps, false});
}

}  // namespace tapegrad
