// Batch normalization: a kernel of fused(), and the statistics that it normalizes by. What it computes, and its gradient,
// stands in ops/norm/batch_norm.cpp.
#pragma once
#include <tapegrad/gradients.h>

namespace tapegrad::compute {

/// mu and rstd of each channel, [C] in float64.
struct ChannelMoments {
  Tensor mean, rstd;
};

/// Those of the batch x [N, C, ...]. The running statistics, if given, move towards them by `momentum`.
ChannelMoments batch_moments(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                             double momentum, double eps);
/// Those of the running statistics.
ChannelMoments running_moments(const Tensor& running_mean, const Tensor& running_var, double eps);

/// in: x, weight, bias; the last two may be undefined.
struct BatchNorm {
  ChannelMoments moments;
  bool training;  // the moments are the batch's and depend on x; else they are constants
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

}  // namespace tapegrad::compute
