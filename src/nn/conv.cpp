#include <tapegrad/nn/conv.h>
#include <tapegrad/nn/init.h>
#include <tapegrad/nn/pool.h>
#include <tapegrad/ops.h>

#include <fmt/format.h>
#include <algorithm>
#include <cmath>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

int64_t least(int64_t size) { return size; }
int64_t least(Size2 size) { return std::min(size.h, size.w); }
std::string text(int64_t size) { return fmt::format("{}", size); }
std::string text(Size2 size) { return fmt::format("({}, {})", size.h, size.w); }

// Checks the options of a layer; the text that describes it.
template <class Size, class Options>
std::string checked(const char* type, int64_t in, int64_t out, Size kernel, const Options& o) {
  Size output_padding = 0;
  if constexpr (requires { o.output_padding; }) output_padding = o.output_padding;
  if (o.groups < 1 || in < 1 || out < 1 || in % o.groups != 0 || out % o.groups != 0)
    fail<ValueError>(type, "groups must divide in_channels and out_channels, got {}, {} and {}", o.groups, in, out);
  if (const int64_t value = std::min({least(kernel), least(o.stride), least(o.dilation)}); value < 1)
    fail<ValueError>(type, "kernel_size, stride and dilation must be positive, got {}", value);
  if (const int64_t value = std::min(least(o.padding), least(output_padding)); value < 0)
    fail<ValueError>(type, "padding must not be negative, got {}", value);
  const auto unless = [](const char* name, const auto& value, const auto& usual) {
    return value == usual ? "" : fmt::format(", {}={}", name, text(value));
  };
  return fmt::format("{}, {}, kernel_size={}, stride={}{}{}{}{}{}", in, out, text(kernel), text(o.stride),
                     unless("padding", o.padding, Size(0)), unless("dilation", o.dilation, Size(1)),
                     unless("output_padding", output_padding, Size(0)), unless("groups", o.groups, int64_t(1)),
                     o.bias ? "" : ", bias=false");
}

// kaiming_uniform with a = sqrt(5) comes to 1 / sqrt(fan_in), the bound of the bias too.
Tensor weight_of(const Shape& shape) { return init::kaiming_uniform(empty(shape), {.a = std::sqrt(5.0)}); }
Tensor bias_of(bool wanted, int64_t out, const Tensor& weight) {
  const double bound = 1 / std::sqrt(double(weight.numel() / weight.size(0)));
  return wanted ? init::uniform(empty({out}), -bound, bound) : Tensor();
}

// As PyTorch shows the sizes of pooling.
std::string brief(Size2 size) {
  return size.h == size.w ? fmt::format("{}", size.h) : fmt::format("({}, {})", size.h, size.w);
}

std::string window(Size2 kernel, Size2 stride, Size2 padding) {
  return fmt::format("kernel_size={}, stride={}, padding={}", brief(kernel),
                     brief(stride == Size2(0) ? kernel : stride), brief(padding));
}

}  // namespace

Conv1d::Conv1d(int64_t in, int64_t out, int64_t kernel, Conv1dOptions o)
    : options_{o.stride, o.padding, o.dilation, o.groups} {
  describe(checked("Conv1d", in, out, kernel, o));
  weight = add_parameter("weight", weight_of({out, in / o.groups, kernel}));
  bias = add_parameter("bias", bias_of(o.bias, out, weight));
}

Conv2d::Conv2d(int64_t in, int64_t out, Size2 kernel, Conv2dOptions o)
    : options_{o.stride, o.padding, o.dilation, o.groups} {
  describe(checked("Conv2d", in, out, kernel, o));
  weight = add_parameter("weight", weight_of({out, in / o.groups, kernel.h, kernel.w}));
  bias = add_parameter("bias", bias_of(o.bias, out, weight));
}

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, Size2 kernel, ConvTranspose2dOptions o)
    : options_{o.stride, o.padding, o.output_padding, o.groups, o.dilation} {
  describe(checked("ConvTranspose2d", in, out, kernel, o));
  weight = add_parameter("weight", weight_of({in, out / o.groups, kernel.h, kernel.w}));
  bias = add_parameter("bias", bias_of(o.bias, out, weight));
}

MaxPool2d::MaxPool2d(Size2 kernel_size, MaxPool2dOptions options) : kernel_size_(kernel_size), options_(options) {
  describe(fmt::format("{}, dilation={}, ceil_mode={}", window(kernel_size, options.stride, options.padding),
                       brief(options.dilation), options.ceil_mode));
}

AvgPool2d::AvgPool2d(Size2 kernel_size, AvgPool2dOptions options) : kernel_size_(kernel_size), options_(options) {
  describe(window(kernel_size, options.stride, options.padding) +
           (options.count_include_pad ? "" : ", count_include_pad=false"));
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Size2 output_size) : output_size_(output_size) {
  describe("output_size=" + brief(output_size));
}

Upsample::Upsample(InterpolateOptions options) : options_(options) {
  describe(fmt::format(
      "{}, mode={}{}",
      options.scale_factor != 0 ? fmt::format("scale_factor={}", options.scale_factor) : "size=" + brief(options.size),
      options.mode == Interpolation::nearest ? "nearest" : "bilinear",
      options.align_corners ? ", align_corners=true" : ""));
}

}  // namespace tapegrad::nn
