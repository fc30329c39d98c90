// Layer normalization, forward and backward.
//
// For one row x of d elements:
//
//   mu   = (1/d) sum_j x_j                              the row's mean
//   var  = (1/d) sum_j (x_j - mu)^2                     its biased variance
//   rstd = (var + eps)^(-1/2)
//   xhat_j = (x_j - mu) rstd                            mean 0, variance 1 (but for eps)
//   y_j    = xhat_j weight_j + bias_j
//
// Backward. Given dy, the gradient of the loss with respect to y, over all rows n:
//
//   dbias_j   = sum_n dy_nj                             y_j depends on bias_j with slope 1
//   dweight_j = sum_n dy_nj xhat_nj                     and on weight_j with slope xhat_j
//   g_j       = dy_j weight_j                           what reaches xhat_j
//
// An element x_i moves xhat_j in three ways: directly if i = j, through mu, and through rstd.
//
//   d mu / d x_i   = 1/d
//   d var / d x_i  = (2/d) (x_i - mu)                   mu's own part vanishes: sum_j (x_j - mu) = 0
//   d rstd / d x_i = -1/2 (var + eps)^(-3/2) d var / d x_i = -(1/d) rstd^2 xhat_i
//
//   d xhat_j / d x_i = rstd ([i = j] - 1/d) + (x_j - mu) d rstd / d x_i
//                    = rstd ([i = j] - 1/d - (1/d) xhat_j xhat_i)
//
// Summed over j with weights g_j:
//
//   dx_i = rstd (g_i - mean(g) - xhat_i mean(g xhat))
//
// Read it geometrically: the gradient loses its component along the vector of ones and its component along
// xhat. Those are the directions in which a row can move without changing xhat: shifting it and stretching
// it. So sum_i dx_i = 0 always, and sum_i dx_i xhat_i = 0 but for eps. With dy = 1 and equal weights all of
// dx is zero: the sum of a normalized row is constant.
//
// Saved: x, and mu and rstd, two float64 numbers a row. xhat is computed again from them: cheaper than
// reading another array of x's size from memory. y could serve in place of x only where no weight is zero.
//
// Numerics: float64 sums and differences, also for float32 (src/kernels/norm/layer_norm.cpp). In parallel, each
// chunk of rows has its own sums for dweight and dbias, added up in the order of the chunks.
//
// Source: Ba, Kiros, Hinton (2016), Layer Normalization, arXiv:1607.06450, equation 3.
#include "compute/fused.h"
#include "ops/norm/norm.h"

namespace tapegrad {

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias,
                  NormOptions options) {
  const double eps = options.eps;
  const Axes axes = check_norm("layer_norm", x, normalized_shape, weight, bias, eps);
  // The definition, word by word, in float64.
  const auto composed = [axes, eps](const Tensors& in) {
    const Tensor x = in[0].to(float64), centered = x - mean(x, axes, {.keepdim = true});
    const Tensor var = mean(centered * centered, axes, {.keepdim = true});
    Tensor y = centered * rsqrt(var + eps);
    if (in[1].defined()) y = y * in[1].to(float64);
    if (in[2].defined()) y = y + in[2].to(float64);
    return y.to(in[0].dtype());
  };
  return fused("layer_norm", {x, weight, bias}, {{"normalized_shape", normalized_shape}, {"eps", eps}},
               composed, compute::LayerNorm{normalized_shape.numel(), eps, true});
}

}  // namespace tapegrad
