// Group normalization: the C channels of an image in G groups, and each group, C / G channels with all their positions, is
// what a row is in layer normalization (the derivation is in layer_norm.cpp). Weight and bias belong to channels:
//
//   y = (x - mu) rstd weight_c + bias_c      dbias_c = sum dy    dweight_c = sum dy xhat, over images and positions
//   dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy weight_c, means over the group
//
// Saved: x, and mu and rstd in float64. Numerics: as batch normalization, sums of a channel about its first element in
// float64, and the variance of the channels' means on top.
//
// Source: Wu, He (2018), Group Normalization, arXiv:1803.08494, equations 1 to 7.
#include "compute/fused.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor group_norm_composed(const Tensors& in, int64_t groups, double eps) {
  const Tensor& x = in[0];
  const int64_t n = x.size(0), c = x.size(1), l = x.flatten(1).size(1) / std::max<int64_t>(c, 1);
  const Tensor rows = x.to(float64).reshape({n, groups, c / groups * l}),
               centered = rows - mean(rows, -1, {.keepdim = true});
  const Tensor xhat = centered * rsqrt(mean(centered * centered, -1, {.keepdim = true}) + eps);
  Tensor y = xhat.reshape({n, c, l});
  if (in[1].defined()) y = y * in[1].to(float64).unsqueeze(1);
  if (in[2].defined()) y = y + in[2].to(float64).unsqueeze(1);
  return y.reshape(x.shape()).to(x.dtype());
}

Tensor normalized(const char* op, const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  check_floating(op, x);
  const int64_t channels = x.size(1);
  if (groups < 1 || channels % groups != 0)
    fail<ValueError>(op, "num_groups must divide the {} channels of input {}, got {}", channels, x.shape(), groups);
  for (const Tensor* parameter : {&weight, &bias}) {
    if (!parameter->defined()) continue;
    if (parameter->shape() != Shape{channels})
      fail<ShapeError>(op, "{} must be [{}] for input {}, got {}", parameter == &weight ? "weight" : "bias", channels,
                       x.shape(), parameter->shape());
    check_same_dtype(op, x, *parameter);
  }
  if (!(eps >= 0)) fail<ValueError>(op, "eps must be at least 0, got {}", eps);
  const auto composed = [groups, eps](const Tensors& in) { return group_norm_composed(in, groups, eps); };
  return fused(op, {x, weight, bias}, {{"num_groups", groups}, {"eps", eps}}, composed,
               compute::GroupNorm{groups, eps});
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight, const Tensor& bias, NormOptions options) {
  if (x.dim() < 2) fail<ShapeError>("group_norm", "input must be [N, C] or [N, C, ...], got {}", x.shape());
  return normalized("group_norm", x, num_groups, weight, bias, options.eps);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, NormOptions options) {
  if (x.dim() < 3 || x.size(1) < 1)
    fail<ShapeError>("instance_norm", "input must be [N, C, ...] with positions, got {}", x.shape());
  if (x.size(0) > 0 && x.numel() == x.size(0) * x.size(1))
    fail<ValueError>("instance_norm", "a channel must have more than one position, got input {}", x.shape());
  return normalized("instance_norm", x, x.size(1), weight, bias, options.eps);
}

}  // namespace tapegrad
