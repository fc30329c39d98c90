#include <tapegrad/nn/norm.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

// What an operation would find at the first call is found where the layer is made.
const Shape& checked(const char* type, const Shape& normalized_shape, double eps) {
  bool positive = !normalized_shape.empty();
  for (int64_t size : normalized_shape) positive = positive && size > 0;
  if (!positive)
    fail<ShapeError>(type, "normalized_shape must have positive sizes, got {}", normalized_shape);
  if (!(eps >= 0)) fail<ValueError>(type, "eps must be at least 0, got {}", eps);
  return normalized_shape;
}

int64_t checked(int64_t num_features, const BatchNorm1dOptions& options) {
  if (num_features < 0)
    fail<ValueError>("BatchNorm1d", "num_features must not be negative, got {}", num_features);
  if (!(options.eps >= 0)) fail<ValueError>("BatchNorm1d", "eps must be at least 0, got {}", options.eps);
  if (options.momentum && !(*options.momentum >= 0 && *options.momentum <= 1))
    fail<ValueError>("BatchNorm1d", "momentum must be in [0, 1], got {}", *options.momentum);
  return num_features;
}

Tensor ones_if(bool wanted, const Shape& shape) {
  return wanted ? ones(shape) : Tensor();
}
Tensor zeros_if(bool wanted, const Shape& shape) {
  return wanted ? zeros(shape) : Tensor();
}

}  // namespace

LayerNorm::LayerNorm(int64_t normalized_shape, LayerNormOptions options)
    : LayerNorm(Shape{normalized_shape}, options) {}

LayerNorm::LayerNorm(const Shape& normalized_shape, LayerNormOptions options)
    : weight(add_parameter("weight", ones_if(options.elementwise_affine,
                                             checked("LayerNorm", normalized_shape, options.eps)))),
      bias(add_parameter("bias", zeros_if(options.elementwise_affine && options.bias, normalized_shape))),
      normalized_shape_(normalized_shape),
      eps_(options.eps) {
  describe(fmt::format("{}, eps={}{}{}", normalized_shape, options.eps,
                       options.elementwise_affine ? "" : ", elementwise_affine=false",
                       options.elementwise_affine && !options.bias ? ", bias=false" : ""));
}

Tensor LayerNorm::forward(const Tensor& x) {
  return layer_norm(x, normalized_shape_, weight, bias, {.eps = eps_});
}

RMSNorm::RMSNorm(int64_t normalized_shape, RMSNormOptions options)
    : RMSNorm(Shape{normalized_shape}, options) {}

RMSNorm::RMSNorm(const Shape& normalized_shape, RMSNormOptions options)
    : weight(add_parameter(
          "weight", ones_if(options.elementwise_affine, checked("RMSNorm", normalized_shape, options.eps)))),
      normalized_shape_(normalized_shape),
      eps_(options.eps) {
  describe(fmt::format("{}, eps={}{}", normalized_shape, options.eps,
                       options.elementwise_affine ? "" : ", elementwise_affine=false"));
}

Tensor RMSNorm::forward(const Tensor& x) {
  return rms_norm(x, normalized_shape_, weight, {.eps = eps_});
}

BatchNorm1d::BatchNorm1d(int64_t num_features, BatchNorm1dOptions options)
    : weight(add_parameter("weight", ones_if(options.affine, {checked(num_features, options)}))),
      bias(add_parameter("bias", zeros_if(options.affine, {num_features}))),
      running_mean(add_buffer("running_mean", zeros_if(options.track_running_stats, {num_features}))),
      running_var(add_buffer("running_var", ones_if(options.track_running_stats, {num_features}))),
      num_batches_tracked(add_buffer("num_batches_tracked", options.track_running_stats
                                                                ? tapegrad::zeros({}, {.dtype = int64})
                                                                : Tensor())),
      num_features_(num_features),
      eps_(options.eps),
      momentum_(options.momentum) {
  describe(fmt::format("{}, eps={}, momentum={}{}{}", num_features, options.eps,
                       options.momentum ? fmt::format("{}", *options.momentum) : "none",
                       options.affine ? "" : ", affine=false",
                       options.track_running_stats ? "" : ", track_running_stats=false"));
}

Tensor BatchNorm1d::forward(const Tensor& x) {
  if ((x.dim() != 2 && x.dim() != 3) || x.shape()[1] != num_features_)
    fail<ShapeError>("", "input must be [N, {0}] or [N, {0}, L], got input {1}", num_features_, x.shape());
  const bool tracked = running_mean.defined();
  if (!is_training() || !tracked)
    return batch_norm(x, running_mean, running_var, weight, bias, {.training = !tracked, .eps = eps_});
  const int64_t batches = num_batches_tracked.data<int64_t>()[0] + 1;
  const Tensor y =
      batch_norm(x, running_mean, running_var, weight, bias,
                 {.training = true, .momentum = momentum_ ? *momentum_ : 1 / double(batches), .eps = eps_});
  if (x.numel() > 0) num_batches_tracked.mutable_data<int64_t>()[0] = batches;
  return y;
}

}  // namespace tapegrad::nn
