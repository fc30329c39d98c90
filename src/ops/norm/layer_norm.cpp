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
//
// Root mean square normalization: layer normalization that does not subtract a mean. For one
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
// Saved: x, and rstd, one float64 number a row. Numerics and order of sums are the same.
//
// Source: Zhang, Sennrich (2019), Root Mean Square Layer Normalization, arXiv:1910.07467, equation 4.
#include "compute/fused.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// Checks all that is given and throws before anything is computed. weight and bias may be undefined. Returns the axes
// that are normalized, the last ones.
Axes check_norm(const char* op, const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                const Tensor& bias, double eps) {
  const int64_t n = normalized_shape.size();
  if (n == 0 || normalized_shape.numel() == 0)
    fail<ShapeError>(op, "normalized_shape must have axes, none of size 0, got {}", normalized_shape);
  if (x.dim() < n)
    fail<ShapeError>(op, "input must end in normalized_shape {}, got input {}. Hint: it needs {} axes or more",
                     normalized_shape, x.shape(), n);
  const Shape trailing(std::span(x.shape().end() - n, size_t(n)));
  if (trailing != normalized_shape)
    fail<ShapeError>(op, "input must end in normalized_shape {}, got input {}. Hint: normalized_shape {} would fit",
                     normalized_shape, x.shape(), trailing);
  check_floating(op, x);
  for (const Tensor* parameter : {&weight, &bias}) {
    if (!parameter->defined()) continue;
    if (parameter->shape() != normalized_shape)
      fail<ShapeError>(op, "{} must be normalized_shape {}, got {}", parameter == &weight ? "weight" : "bias",
                       normalized_shape, parameter->shape());
    check_same_dtype(op, x, *parameter);
  }
  if (!(eps >= 0)) fail<ValueError>(op, "eps must be at least 0, got {}", eps);
  Shape axes;
  for (int64_t i = -n; i < 0; ++i) axes.push_back(i);
  return Axes(axes);
}

}  // namespace

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
  return fused("layer_norm", {x, weight, bias}, {{"normalized_shape", normalized_shape}, {"eps", eps}}, composed,
               compute::LayerNorm{normalized_shape.numel(), eps, true});
}

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
