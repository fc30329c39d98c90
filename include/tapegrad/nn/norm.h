// Normalization as modules. Gains begin as 1 and biases as 0, so that a new layer only normalizes.
#pragma once
#include <optional>

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
  explicit RMSNorm(int64_t normalized_shape, RMSNormOptions options = {})
      : RMSNorm(Shape{normalized_shape}, options) {}
  explicit RMSNorm(const Shape& normalized_shape, RMSNormOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight;

 private:
  Shape normalized_shape_;
  double eps_;
};

struct BatchNorm1dOptions {
  double eps = 1e-5;  ///< added to the variance under the root
  std::optional<double> momentum =
      0.1;                          ///< weight of a new batch, in [0, 1]; nullopt: the mean of all batches
  bool affine = true;               ///< learn a weight and a bias
  bool track_running_stats = true;  ///< else evaluation uses the batch's statistics too
  bool biased_running_var =
      false;  ///< collect the variance that normalizes, not the unbiased one: as in some courses
};

/// Normalizes each feature by its mean and variance over the batch:
///
///     y = (x - mu) / sqrt(var + eps) * weight + bias
///
/// In train() the statistics are the batch's, and the running ones move; in eval() they are the running ones,
/// and nothing moves. num_batches_tracked counts the batches.
///
/// **Shape**: x [N, C] or [N, C, L] with C = num_features, y the same.
/// **Throws** ShapeError for another input; ValueError for options out of range, and in training for a batch of
/// one value a channel: what is normalized by its own mean is 0. An empty batch passes and changes no statistics.
/// **Gradient**, **Numerics**, **Source**: see batch_norm().
///
///     nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(128, {.momentum = 0.01}));
struct BatchNorm1d : Module<BatchNorm1d> {
  explicit BatchNorm1d(int64_t num_features, BatchNorm1dOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;

 private:
  int64_t num_features_;
  double eps_;
  std::optional<double> momentum_;
  bool biased_running_var_;
};

}  // namespace tapegrad::nn
