#include <tapegrad/nn/pool.h>

#include <fmt/format.h>

namespace tapegrad::nn {

namespace {

std::string text(Size2 size) {
  return size.h == size.w ? fmt::format("{}", size.h) : fmt::format("({}, {})", size.h, size.w);
}

std::string window(Size2 kernel, Size2 stride, Size2 padding) {
  return fmt::format("kernel_size={}, stride={}, padding={}", text(kernel),
                     text(stride == Size2(0) ? kernel : stride), text(padding));
}

}  // namespace

MaxPool2d::MaxPool2d(Size2 kernel_size, MaxPool2dOptions options)
    : kernel_size_(kernel_size), options_(options) {
  describe(fmt::format("{}, dilation={}, ceil_mode={}", window(kernel_size, options.stride, options.padding),
                       text(options.dilation), options.ceil_mode));
}

AvgPool2d::AvgPool2d(Size2 kernel_size, AvgPool2dOptions options)
    : kernel_size_(kernel_size), options_(options) {
  describe(window(kernel_size, options.stride, options.padding) +
           (options.count_include_pad ? "" : ", count_include_pad=false"));
}

AdaptiveAvgPool2d::AdaptiveAvgPool2d(Size2 output_size) : output_size_(output_size) {
  describe("output_size=" + text(output_size));
}

Upsample::Upsample(InterpolateOptions options) : options_(options) {
  describe(fmt::format("{}, mode={}{}",
                       options.scale_factor != 0 ? fmt::format("scale_factor={}", options.scale_factor)
                                                 : "size=" + text(options.size),
                       options.mode == Interpolation::nearest ? "nearest" : "bilinear",
                       options.align_corners ? ", align_corners=true" : ""));
}

}  // namespace tapegrad::nn
