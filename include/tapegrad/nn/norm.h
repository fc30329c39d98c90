// Normalization of rows as modules. Gains begin as 1 and biases as 0, so that a new layer only normalizes.
#pragma once
#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

struct LayerNormOptions {
  double eps = 1e-5;               ///< added to the variance under the root
  bool elementwise_affine = true;  ///< learn a weight and a bias
  bool bias = true;                ///< with elementwise_affine: learn the bias too
};

/// Normalizes each row by its own mean and variance, in training and evaluation alike:
///
///     y = (x - mu) / sqrt(var + eps) * weight + bias
///
/// Put it on the summed inputs of a layer, before the non-linearity, and leave out the bias before it.
///
/// **Shape**: x [..., normalized_shape], y the same; weight and bias [normalized_shape].
/// **Throws** ShapeError for sizes below 1 and where the input does not fit; ValueError unless eps >= 0.
/// **Gradient**, **Numerics**, **Source**: see layer_norm().
///
///     nn::LayerNorm norm = add("norm", nn::LayerNorm(128, {.eps = 1e-6}));
struct LayerNorm : Module<LayerNorm> {
  explicit LayerNorm(int64_t normalized_shape, LayerNormOptions options = {})
      : LayerNorm(Shape{normalized_shape}, options) {}
  explicit LayerNorm(const Shape& normalized_shape, LayerNormOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight, bias;

 private:
  Shape normalized_shape_;
  double eps_;
};

struct RMSNormOptions {
  double eps = 1e-5;               ///< added to the mean square under the root
  bool elementwise_affine = true;  ///< learn a weight
};

/// Divides each row by its root mean square: y = x / sqrt(mean(x^2) + eps) * weight.
///
/// **Shape**, **Throws**: as LayerNorm. **Gradient**, **Numerics**, **Source**: see rms_norm().
struct RMSNorm : Module<RMSNorm> {
  explicit RMSNorm(int64_t normalized_shape, RMSNormOptions options = {}) : RMSNorm(Shape{normalized_shape}, options) {}
  explicit RMSNorm(const Shape& normalized_shape, RMSNormOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight;

 private:
  Shape normalized_shape_;
  double eps_;
};

}  // namespace tapegrad::nn
