#include <tapegrad/nn/conv.h>
#include <tapegrad/nn/init.h>
#include <tapegrad/ops.h>

#include <cmath>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

void check(const char* type, int64_t in, int64_t out, std::initializer_list<int64_t> positive,
           std::initializer_list<int64_t> not_negative, int64_t groups) {
  if (groups < 1 || in < 1 || out < 1 || in % groups != 0 || out % groups != 0)
    fail<ValueError>(type, "groups must divide in_channels and out_channels, got {}, {} and {}", groups, in,
                     out);
  for (int64_t value : positive)
    if (value < 1) fail<ValueError>(type, "kernel_size, stride and dilation must be positive, got {}", value);
  for (int64_t value : not_negative)
    if (value < 0) fail<ValueError>(type, "padding must not be negative, got {}", value);
}

// kaiming_uniform with a = sqrt(5) comes to 1 / sqrt(fan_in), the bound of the bias too.
Tensor weight_of(const Shape& shape) { return init::kaiming_uniform(empty(shape), {.a = std::sqrt(5.0)}); }
Tensor bias_of(bool wanted, int64_t out, const Shape& weight) {
  const double bound = 1 / std::sqrt(double(weight.numel() / weight[0]));
  return wanted ? init::uniform(empty({out}), -bound, bound) : Tensor();
}

std::string text(Size2 size) { return fmt::format("({}, {})", size.h, size.w); }

}  // namespace

Conv1d::Conv1d(int64_t in, int64_t out, int64_t kernel, Conv1dOptions o)
    : options_{o.stride, o.padding, o.dilation, o.groups} {
  check("Conv1d", in, out, {kernel, o.stride, o.dilation}, {o.padding}, o.groups);
  const Shape shape{out, in / o.groups, kernel};
  weight = add_parameter("weight", weight_of(shape));
  bias = add_parameter("bias", bias_of(o.bias, out, shape));
  describe(fmt::format("{}, {}, kernel_size={}, stride={}{}{}{}{}", in, out, kernel, o.stride,
                       o.padding != 0 ? fmt::format(", padding={}", o.padding) : "",
                       o.dilation != 1 ? fmt::format(", dilation={}", o.dilation) : "",
                       o.groups != 1 ? fmt::format(", groups={}", o.groups) : "",
                       o.bias ? "" : ", bias=false"));
}

Tensor Conv1d::forward(const Tensor& x) { return conv1d(x, weight, bias, options_); }

Conv2d::Conv2d(int64_t in, int64_t out, Size2 kernel, Conv2dOptions o)
    : options_{o.stride, o.padding, o.dilation, o.groups} {
  check("Conv2d", in, out, {kernel.h, kernel.w, o.stride.h, o.stride.w, o.dilation.h, o.dilation.w},
        {o.padding.h, o.padding.w}, o.groups);
  const Shape shape{out, in / o.groups, kernel.h, kernel.w};
  weight = add_parameter("weight", weight_of(shape));
  bias = add_parameter("bias", bias_of(o.bias, out, shape));
  describe(fmt::format("{}, {}, kernel_size={}, stride={}{}{}{}{}", in, out, text(kernel), text(o.stride),
                       o.padding != Size2(0) ? ", padding=" + text(o.padding) : "",
                       o.dilation != Size2(1) ? ", dilation=" + text(o.dilation) : "",
                       o.groups != 1 ? fmt::format(", groups={}", o.groups) : "",
                       o.bias ? "" : ", bias=false"));
}

Tensor Conv2d::forward(const Tensor& x) { return conv2d(x, weight, bias, options_); }

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, Size2 kernel, ConvTranspose2dOptions o)
    : options_{o.stride, o.padding, o.output_padding, o.groups, o.dilation} {
  check("ConvTranspose2d", in, out, {kernel.h, kernel.w, o.stride.h, o.stride.w, o.dilation.h, o.dilation.w},
        {o.padding.h, o.padding.w, o.output_padding.h, o.output_padding.w}, o.groups);
  const Shape shape{in, out / o.groups, kernel.h, kernel.w};
  weight = add_parameter("weight", weight_of(shape));
  bias = add_parameter("bias", bias_of(o.bias, out, shape));
  describe(fmt::format("{}, {}, kernel_size={}, stride={}{}{}{}{}{}", in, out, text(kernel), text(o.stride),
                       o.padding != Size2(0) ? ", padding=" + text(o.padding) : "",
                       o.output_padding != Size2(0) ? ", output_padding=" + text(o.output_padding) : "",
                       o.groups != 1 ? fmt::format(", groups={}", o.groups) : "",
                       o.dilation != Size2(1) ? ", dilation=" + text(o.dilation) : "",
                       o.bias ? "" : ", bias=false"));
}

Tensor ConvTranspose2d::forward(const Tensor& x) { return conv_transpose2d(x, weight, bias, options_); }

}  // namespace tapegrad::nn
