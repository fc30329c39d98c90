#pragma once
#include <tapegrad/nn/module.h>

namespace tapegrad::distributed {

struct SyncBatchNormOptions {
  double eps = 1e-5;      ///< added to the variance under the root
  double momentum = 0.1;  ///< weight of a new batch, in [0, 1]
};

/// BatchNorm1d, 2d and 3d with the mean and the variance of the whole batch, over the shards of all ranks:
///
///     y = (x - mu) / sqrt(var + eps) * weight + bias
///
/// Its parameters and buffers have the names of BatchNorm's, so the one's state is loaded into the other. Outside of
/// DataParallel, and in evaluation, it is a BatchNorm.
///
/// **Shape**: x [N, C, ...] with C = num_features, y the same.
/// **Gradient**: of x through mu and var of all shards. In DataParallel it has no second derivative.
/// **Numerics**: of each shard the count, the mean and the sum of squares about it in float64, put together in the order of
/// the tree (Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances").
/// **Throws** ShapeError for another input; ValueError for options out of range, and in training for one value a channel.
struct SyncBatchNorm : nn::Module<SyncBatchNorm> {
  explicit SyncBatchNorm(int64_t num_features, SyncBatchNormOptions options = {});
  Tensor forward(const Tensor& x);

  nn::Parameter weight, bias;
  nn::Buffer running_mean, running_var, num_batches_tracked;

 private:
  SyncBatchNormOptions options_;
};

}  // namespace tapegrad::distributed
