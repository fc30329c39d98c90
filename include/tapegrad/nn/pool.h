// Pooling and resizing as modules, for Sequential; each calls the operation of the same name, whose shapes, errors and
// gradient are in ops/pool.h. No parameters.
#pragma once
#include <tapegrad/nn/module.h>
#include <tapegrad/ops/pool.h>

namespace tapegrad::nn {

/// y = max_pool2d(x, kernel_size): the largest number of each window.
///
///     nn::MaxPool2d(3, {.stride = 2, .padding = 1})
struct MaxPool2d : Module<MaxPool2d> {
  explicit MaxPool2d(Size2 kernel_size, MaxPool2dOptions options = {});
  Tensor forward(const Tensor& x) { return max_pool2d(x, kernel_size_, options_); }

 private:
  Size2 kernel_size_;
  MaxPool2dOptions options_;
};

/// y = avg_pool2d(x, kernel_size): the mean of each window.
struct AvgPool2d : Module<AvgPool2d> {
  explicit AvgPool2d(Size2 kernel_size, AvgPool2dOptions options = {});
  Tensor forward(const Tensor& x) { return avg_pool2d(x, kernel_size_, options_); }

 private:
  Size2 kernel_size_;
  AvgPool2dOptions options_;
};

/// y = adaptive_avg_pool2d(x, output_size): means of so many parts, whatever the size of the image.
struct AdaptiveAvgPool2d : Module<AdaptiveAvgPool2d> {
  explicit AdaptiveAvgPool2d(Size2 output_size);
  Tensor forward(const Tensor& x) { return adaptive_avg_pool2d(x, output_size_); }

 private:
  Size2 output_size_;
};

/// y = interpolate(x): the image in another size.
///
///     nn::Upsample({.scale_factor = 2, .mode = Interpolation::bilinear})
struct Upsample : Module<Upsample> {
  explicit Upsample(InterpolateOptions options);
  Tensor forward(const Tensor& x) { return interpolate(x, options_); }

 private:
  InterpolateOptions options_;
};

}  // namespace tapegrad::nn
