#include <tapegrad/nn/norm.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

// What an operation would find at the first call is found where the layer is made.
void check(const char* type, const Shape& normalized_shape, double eps) {
  bool positive = !normalized_shape.empty();
  for (int64_t size : normalized_shape) positive = positive && size > 0;
  if (!positive) fail<ShapeError>(type, "normalized_shape must have positive sizes, got {}", normalized_shape);
  if (!(eps >= 0)) fail<ValueError>(type, "eps must be at least 0, got {}", eps);
}

}  // namespace

LayerNorm::LayerNorm(const Shape& normalized_shape, LayerNormOptions options)
    : normalized_shape_(normalized_shape), eps_(options.eps) {
  check("LayerNorm", normalized_shape, options.eps);
  const bool affine = options.elementwise_affine;
  weight = add_parameter("weight", affine ? ones(normalized_shape) : Tensor());
  bias = add_parameter("bias", affine && options.bias ? zeros(normalized_shape) : Tensor());
  describe(fmt::format("{}, eps={}{}{}", normalized_shape, options.eps, affine ? "" : ", elementwise_affine=false",
                       affine && !options.bias ? ", bias=false" : ""));
}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, normalized_shape_, weight, bias, {.eps = eps_}); }

RMSNorm::RMSNorm(const Shape& normalized_shape, RMSNormOptions options)
    : normalized_shape_(normalized_shape), eps_(options.eps) {
  check("RMSNorm", normalized_shape, options.eps);
  weight = add_parameter("weight", options.elementwise_affine ? ones(normalized_shape) : Tensor());
  describe(fmt::format("{}, eps={}{}", normalized_shape, options.eps,
                       options.elementwise_affine ? "" : ", elementwise_affine=false"));
}

Tensor RMSNorm::forward(const Tensor& x) { return rms_norm(x, normalized_shape_, weight, {.eps = eps_}); }

}  // namespace tapegrad::nn
