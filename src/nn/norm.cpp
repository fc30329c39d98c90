#include <tapegrad/nn/norm.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

// What an operation would find at the first call is found where the layer is made.
void check(const char* type, const Shape& normalized_shape, double eps) {
  bool positive = !normalized_shape.empty();
  for (int64_t size : normalized_shape) positive = positive && size > 0;
  if (!positive)
    fail<ShapeError>(type, "normalized_shape must have positive sizes, got {}", normalized_shape);
  if (!(eps >= 0)) fail<ValueError>(type, "eps must be at least 0, got {}", eps);
}

}  // namespace

LayerNorm::LayerNorm(const Shape& normalized_shape, LayerNormOptions options)
    : normalized_shape_(normalized_shape), eps_(options.eps) {
  check("LayerNorm", normalized_shape, options.eps);
  const bool affine = options.elementwise_affine;
  weight = add_parameter("weight", affine ? ones(normalized_shape) : Tensor());
  bias = add_parameter("bias", affine && options.bias ? zeros(normalized_shape) : Tensor());
  describe(fmt::format("{}, eps={}{}{}", normalized_shape, options.eps,
                       affine ? "" : ", elementwise_affine=false",
                       affine && !options.bias ? ", bias=false" : ""));
}

Tensor LayerNorm::forward(const Tensor& x) {
  return layer_norm(x, normalized_shape_, weight, bias, {.eps = eps_});
}

RMSNorm::RMSNorm(const Shape& normalized_shape, RMSNormOptions options)
    : normalized_shape_(normalized_shape), eps_(options.eps) {
  check("RMSNorm", normalized_shape, options.eps);
  weight = add_parameter("weight", options.elementwise_affine ? ones(normalized_shape) : Tensor());
  describe(fmt::format("{}, eps={}{}", normalized_shape, options.eps,
                       options.elementwise_affine ? "" : ", elementwise_affine=false"));
}

Tensor RMSNorm::forward(const Tensor& x) { return rms_norm(x, normalized_shape_, weight, {.eps = eps_}); }

BatchNorm1d::BatchNorm1d(int64_t num_features, BatchNorm1dOptions options)
    : num_features_(num_features),
      eps_(options.eps),
      momentum_(options.momentum),
      biased_running_var_(options.biased_running_var) {
  if (num_features < 0)
    fail<ValueError>("BatchNorm1d", "num_features must not be negative, got {}", num_features);
  if (!(eps_ >= 0)) fail<ValueError>("BatchNorm1d", "eps must be at least 0, got {}", eps_);
  if (momentum_ && !(*momentum_ >= 0 && *momentum_ <= 1))
    fail<ValueError>("BatchNorm1d", "momentum must be in [0, 1], got {}", *momentum_);
  const bool affine = options.affine, tracked = options.track_running_stats;
  weight = add_parameter("weight", affine ? ones({num_features}) : Tensor());
  bias = add_parameter("bias", affine ? zeros({num_features}) : Tensor());
  running_mean = add_buffer("running_mean", tracked ? zeros({num_features}) : Tensor());
  running_var = add_buffer("running_var", tracked ? ones({num_features}) : Tensor());
  num_batches_tracked = add_buffer("num_batches_tracked", tracked ? zeros({}, {.dtype = int64}) : Tensor());
  describe(fmt::format("{}, eps={}, momentum={}{}{}", num_features, eps_,
                       momentum_ ? fmt::format("{}", *momentum_) : "none", affine ? "" : ", affine=false",
                       tracked ? "" : ", track_running_stats=false") +
           (options.biased_running_var ? ", biased_running_var=true" : ""));
}

Tensor BatchNorm1d::forward(const Tensor& x) {
  if ((x.dim() != 2 && x.dim() != 3) || x.shape()[1] != num_features_)
    fail<ShapeError>("", "input must be [N, {0}] or [N, {0}, L], got input {1}", num_features_, x.shape());
  const bool tracked = running_mean.defined();
  if (!is_training() || !tracked)
    return batch_norm(x, running_mean, running_var, weight, bias, {.training = !tracked, .eps = eps_});
  const int64_t before = num_batches_tracked.data<int64_t>()[0], most = int64_t(1) << 53;
  if (before < 0 || before > most)  // it can be loaded
    fail<ValueError>("", "num_batches_tracked must be in [0, {}], got {}", most, before);
  const int64_t batches = before + 1;
  const Tensor y = batch_norm(x, running_mean, running_var, weight, bias,
                              {.training = true,
                               .momentum = momentum_ ? *momentum_ : 1 / double(batches),
                               .eps = eps_,
                               .biased_running_var = biased_running_var_});
  if (x.numel() > 0) num_batches_tracked.mutable_data<int64_t>()[0] = batches;
  return y;
}

}  // namespace tapegrad::nn
