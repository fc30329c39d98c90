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
#include "compute/norm.h"
#include "ops/norm/norm.h"

namespace tapegrad {

namespace {

Tensor rms_norm_composed(const Tensor& x, const Axes& axes, const Tensor& weight, double eps) {
  const Tensor wide = x.to(float64);
  const Tensor y = wide * rsqrt(mean(wide * wide, axes, {.keepdim = true}) + eps);
  return (weight.defined() ? y * weight.to(float64) : y).to(x.dtype());
}

}  // namespace

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, NormOptions options) {
  check_norm("rms_norm", x, normalized_shape, weight, {}, options.eps);
  return fused(
      "rms_norm", {x, weight}, {{"normalized_shape", normalized_shape}, {"eps", options.eps}},
      [n = normalized_shape.size(), eps = options.eps](const Tensors& in) {
        return rms_norm_composed(in[0], last_axes(n), in[1], eps);
      },
      compute::RmsNorm{normalized_shape.numel(), options.eps});
}

}  // namespace tapegrad
