// Convolutions as modules. Weights and biases begin uniform in +-1 / sqrt(fan_in), fan_in the number of products in a sum,
// as in PyTorch. **Throws** (all of them) ShapeError for another input; ValueError for options out of range.
#pragma once
#include <tapegrad/nn/module.h>
#include <tapegrad/ops/conv.h>

namespace tapegrad::nn {

template <class Size>
struct ConvOptions {
  Size stride = 1, padding = 0, dilation = 1;  ///< as those of conv1d() and conv2d()
  int64_t groups = 1;                          ///< as many as in_channels: depthwise
  bool bias = true;                            ///< leave it out before a normalization
};
using Conv1dOptions = ConvOptions<int64_t>;
using Conv2dOptions = ConvOptions<Size2>;

/// Convolution of images: y = conv2d(x, weight, bias).
///
/// **Shape**: x [N, in_channels, H, W], y [N, out_channels, H', W']; weight [out_channels, in_channels / groups,
/// kernel_size]. **Gradient**: see conv2d().
///
///     nn::Conv2d conv = add("conv", nn::Conv2d(16, 32, 3, {.padding = 1}));
struct Conv2d : Module<Conv2d> {
  Conv2d(int64_t in_channels, int64_t out_channels, Size2 kernel_size, Conv2dOptions options = {});
  Tensor forward(const Tensor& x) { return conv2d(x, weight, bias, options_); }

  Parameter weight, bias;

 private:
  tapegrad::Conv2dOptions options_;
};

/// The same along one axis: x [N, in_channels, L], y [N, out_channels, L'].
struct Conv1d : Module<Conv1d> {
  Conv1d(int64_t in_channels, int64_t out_channels, int64_t kernel_size, Conv1dOptions options = {});
  Tensor forward(const Tensor& x) { return conv1d(x, weight, bias, options_); }

  Parameter weight, bias;

 private:
  tapegrad::Conv1dOptions options_;
};

struct ConvTranspose2dOptions {
  Size2 stride = 1, padding = 0, output_padding = 0;  ///< as those of conv_transpose2d()
  int64_t groups = 1;
  bool bias = true;
  Size2 dilation = 1;
};

/// Transposed convolution of images, which makes them larger by `stride`: y = conv_transpose2d(x, weight, bias).
///
/// **Shape**: x [N, in_channels, H, W], y [N, out_channels, H', W']; weight [in_channels, out_channels / groups,
/// kernel_size]. **Gradient**: see conv_transpose2d(). Its fan_in is taken as PyTorch takes it, from axis 1 of the weight.
///
///     nn::ConvTranspose2d up = add("up", nn::ConvTranspose2d(32, 16, 2, {.stride = 2}));
struct ConvTranspose2d : Module<ConvTranspose2d> {
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, Size2 kernel_size, ConvTranspose2dOptions options = {});
  Tensor forward(const Tensor& x) { return conv_transpose2d(x, weight, bias, options_); }

  Parameter weight, bias;

 private:
  tapegrad::ConvTranspose2dOptions options_;
};

}  // namespace tapegrad::nn
