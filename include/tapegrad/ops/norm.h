// Normalization: subtract a mean, divide by a standard deviation, then scale and shift by what is learned.
// Layer and RMS norm take the statistics of each row alone; batch norm takes those of each channel over the
// batch; group and instance norm those of some channels of one image.
//
// **Throws** (all of them) ShapeError if shapes do not fit, DtypeError if the dtypes differ or are not
// floating, ValueError if eps is negative. **Gradient**: to x, weight and bias, through the statistics too.
// **Numerics**: mean and variance in two passes with float64 sums and differences, also for float32: rows
// like [40000, 40001, 40002], with a mean of 1e6, of values around 1e20 or all the same come out right.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

struct NormOptions {
  double eps = 1e-5;  ///< added to the variance (or mean square) under the root; at least 0
};

/// Normalizes each row, the trailing axes `normalized_shape`, by its own mean and variance.
///
///     mu = mean(x)    rstd = 1 / sqrt(mean((x - mu)^2) + eps)    xhat = (x - mu) rstd
///     y = xhat weight + bias
///
/// **Shape**: x [..., normalized_shape], y the same; weight and bias normalized_shape, or undefined for 1 and
/// 0. A row's result depends on that row alone, down to the bits; NaN in it stays in it. A constant row gives
/// bias.
///
/// **Throws** ShapeError also for a normalized_shape that is empty or has a size 0.
///
/// **Gradient**: with g = dy weight, dx = rstd (g - mean(g) - xhat mean(g xhat)); dweight = sum dy xhat and
/// dbias = sum dy over the rows. docs/layer_norm.md says what follows from it.
///
/// **Source**: Ba, Kiros, Hinton 2016, Layer Normalization, arXiv:1607.06450, equation 3 (without eps there).
///
///     Tensor y = layer_norm(x, {64}, weight, bias);
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, const Tensor& bias = {},
                  NormOptions options = {});

/// Divides each row by its root mean square: layer norm without the mean and without a shift.
///
///     rstd = 1 / sqrt(mean(x^2) + eps)    xhat = x rstd    y = xhat weight
///
/// **Shape**: as layer_norm. PyTorch's default eps is the dtype's epsilon; here it is 1e-5 as everywhere.
///
/// **Throws** as layer_norm.
///
/// **Gradient**: with g = dy weight, dx = rstd (g - xhat mean(g xhat)); dweight = sum dy xhat over the rows.
///
/// **Source**: Zhang, Sennrich 2019, Root Mean Square Layer Normalization, arXiv:1910.07467, equation 4.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, NormOptions options = {});

struct BatchNormOptions {
  bool training = false;            ///< use the batch's statistics and update the running ones, else use the running
  double momentum = 0.1;            ///< weight of the new value in the running statistics, in [0, 1]
  double eps = 1e-5;                ///< added to the variance under the root; at least 0
  bool biased_running_var = false;  ///< the running variance takes the biased one too
  bool relu = false;                ///< relu() of the result, with the same bits in fewer passes over memory
};

/// Normalizes each channel by its mean and variance over the batch and all positions.
///
///     rstd = 1 / sqrt(var + eps)    xhat = (x - mean) rstd    y = xhat weight + bias
///     running = (1 - momentum) running + momentum new         in training
///
/// In training mean and (biased) variance are the batch's; running_mean and running_var, if given, are then
/// updated in place, the latter with the unbiased variance unless biased_running_var. In evaluation the running ones are used.
///
/// With relu the result is max(y, 0), and dy is 0 where that is 0.
///
/// **Shape**: x [N, C] or [N, C, ...], y the same; all others [C]; weight and bias may be undefined, and so
/// may the running statistics in training.
///
/// **Throws** ValueError in training if a channel has one value only (its variance is 0 and its result does
/// not depend on it), or without running statistics in evaluation. An empty batch is allowed and changes no
/// running statistics.
///
/// **Gradient**: with sums and means over the elements of a channel, dweight = sum dy xhat and dbias = sum dy.
/// In training dx = weight rstd (dy - mean(dy) - xhat mean(dy xhat)); in evaluation mean and variance are
/// constants and dx = dy weight rstd. Running statistics get none.
///
/// **Source**: Ioffe, Szegedy 2015, Batch Normalization, arXiv:1502.03167, algorithms 1 and 2.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight = {},
                  const Tensor& bias = {}, BatchNormOptions options = {});

/// Normalizes each image over groups of its channels: C / num_groups channels and all their positions have one mean and
/// variance. One group is a layer norm of the whole image, as many as channels an instance norm.
///
///     mu, var over a group of one image    xhat = (x - mu) / sqrt(var + eps)    y = xhat weight + bias, by channel
///
/// **Shape**: x [N, C] or [N, C, ...], y the same; weight and bias [C] or undefined. An image's result depends on that
/// image alone; NaN in a group stays in it. A constant group gives bias.
///
/// **Throws** ValueError unless num_groups divides C.
///
/// **Gradient**: with g = dy weight and means over a group, dx = rstd (g - mean(g) - xhat mean(g xhat)); dweight = sum dy
/// xhat and dbias = sum dy over images and positions.
///
/// **Source**: Wu, He 2018, Group Normalization, arXiv:1803.08494, equations 1 to 7.
Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {}, const Tensor& bias = {},
                  NormOptions options = {});

/// Normalizes each channel of each image: group_norm() with a group for each channel. PyTorch's can keep running
/// statistics too.
///
/// **Shape**: x [N, C, ...] with at least one axis of positions; else as group_norm(). **Throws** ValueError where a channel
/// has one position only, whose result would not depend on x.
///
/// **Source**: Ulyanov, Vedaldi, Lempitsky 2016, Instance Normalization, arXiv:1607.08022.
Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {}, NormOptions options = {});

}  // namespace tapegrad
