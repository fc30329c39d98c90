// Normalization of channels, those of images and sequences, as modules. For rows see nn/norm.h.
#pragma once
#include <optional>

#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

struct BatchNormOptions {
  double eps = 1e-5;                     ///< added to the variance under the root
  std::optional<double> momentum = 0.1;  ///< weight of a new batch, in [0, 1]; nullopt: the mean of all batches
  bool affine = true;                    ///< learn a weight and a bias
  bool track_running_stats = true;       ///< else evaluation uses the batch's statistics too
  bool biased_running_var = false;  ///< collect the variance that normalizes, not the unbiased one: as in some courses
  bool relu = false;                ///< relu() follows: the same bits as of nn::ReLU, in fewer passes over memory
};

/// Normalizes each feature, or channel of an image, by its mean and variance over the batch:
///
///     y = (x - mu) / sqrt(var + eps) * weight + bias
///
/// In train() the statistics are the batch's, and the running ones move; in eval() they are the running ones,
/// and nothing moves. num_batches_tracked counts the batches. This is what the three below have in common, which differ in
/// the input that they take.
///
/// **Shape**: y as x, C = num_features.
/// **Throws** ShapeError for another input; ValueError for options out of range, and in training for a batch of
/// one value a channel: what is normalized by its own mean is 0. An empty batch passes and changes no statistics.
/// **Gradient**, **Numerics**, **Source**: see batch_norm().
///
///     nn::BatchNorm1d norm = add("norm", nn::BatchNorm1d(128, {.momentum = 0.01}));
template <class Derived>
struct BatchNormOf : Module<Derived> {
  explicit BatchNormOf(int64_t num_features, BatchNormOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight, bias;
  Buffer running_mean, running_var, num_batches_tracked;

 private:
  int64_t num_features_;
  double eps_;
  std::optional<double> momentum_;
  bool biased_running_var_, relu_;
};

using BatchNorm1dOptions = BatchNormOptions;
/// x [N, C] or [N, C, L].
struct BatchNorm1d : BatchNormOf<BatchNorm1d> {
  using BatchNormOf::BatchNormOf;
};
/// x [N, C, H, W].
struct BatchNorm2d : BatchNormOf<BatchNorm2d> {
  using BatchNormOf::BatchNormOf;
};
/// x [N, C, D, H, W].
struct BatchNorm3d : BatchNormOf<BatchNorm3d> {
  using BatchNormOf::BatchNormOf;
};

struct GroupNormOptions {
  double eps = 1e-5;   ///< added to the variance under the root
  bool affine = true;  ///< learn a weight and a bias for each channel
};

/// Normalizes each image over groups of its channels, in training and evaluation alike, whatever the size of the batch.
///
/// **Shape**: x [N, C, ...] with C = num_channels, y the same; weight and bias [C].
/// **Throws** ShapeError for another input; ValueError unless num_groups divides num_channels and eps >= 0.
/// **Gradient**, **Numerics**, **Source**: see group_norm().
///
///     nn::GroupNorm norm = add("norm", nn::GroupNorm(4, 32));
struct GroupNorm : Module<GroupNorm> {
  GroupNorm(int64_t num_groups, int64_t num_channels, GroupNormOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight, bias;

 private:
  int64_t num_groups_, num_channels_;
  double eps_;
};

struct InstanceNormOptions {
  double eps = 1e-5;    ///< added to the variance under the root
  bool affine = false;  ///< learn a weight and a bias for each channel
};

/// Normalizes each channel of each image or sequence, in training and evaluation alike. PyTorch's can keep running
/// statistics too. This is what the two below have in common.
///
/// **Shape**: y as x, C = num_features. **Throws** ShapeError for another input; ValueError for eps below 0 and for one
/// position only. **Gradient**, **Numerics**, **Source**: see instance_norm().
template <class Derived>
struct InstanceNormOf : Module<Derived> {
  explicit InstanceNormOf(int64_t num_features, InstanceNormOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight, bias;

 private:
  int64_t num_features_;
  double eps_;
};

/// x [N, C, L].
struct InstanceNorm1d : InstanceNormOf<InstanceNorm1d> {
  using InstanceNormOf::InstanceNormOf;
};
/// x [N, C, H, W].
struct InstanceNorm2d : InstanceNormOf<InstanceNorm2d> {
  using InstanceNormOf::InstanceNormOf;
};

}  // namespace tapegrad::nn
