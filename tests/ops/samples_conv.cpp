// Convolution, pooling and resizing.
#include "ops/samples.h"

namespace tapegrad {

namespace {

Sample convolution(const std::string& label, const Shape& x, const Shape& weight, Conv2dOptions options) {
  return {.label = label,
          .f = [options](const Inputs& in) { return conv2d(in[0], in[1], in[2], options); },
          .inputs = {normal(x), normal(weight), normal({weight[0]})},
          .zero_gradient = x.numel() == 0};
}

Sample transposed(const std::string& label, const Shape& x, const Shape& weight, ConvTranspose2dOptions options) {
  return {.label = label,
          .f = [options](const Inputs& in) { return conv_transpose2d(in[0], in[1], in[2], options); },
          .inputs = {normal(x), normal(weight), normal({weight[1] * options.groups})}};
}

// All different, so that no window has a tie that a difference could decide otherwise.
Tensor distinct(const Shape& shape) {
  return argsort(normal({shape.numel()})).to(float64).reshape(shape) / double(shape.numel());
}

}  // namespace

Samples conv2d_samples() {
  Samples samples{
      convolution("padded", {2, 3, 4, 5}, {4, 3, 3, 3}, {.padding = 1}),
      convolution("one by one", {2, 3, 2, 3}, {5, 3, 1, 1}, {}),
      convolution("stride", {1, 2, 5, 6}, {4, 2, 3, 2}, {.stride = {2, 3}, .padding = {1, 0}}),
      convolution("stride beyond the kernel", {1, 4, 6, 6}, {4, 4, 1, 2}, {.stride = 3}),
      convolution("dilation", {1, 2, 6, 7}, {4, 2, 2, 3}, {.stride = 2, .padding = {2, 1}, .dilation = {3, 2}}),
      convolution("groups", {2, 8, 3, 3}, {8, 4, 2, 2}, {.padding = 1, .groups = 2}),
      convolution("depthwise", {2, 3, 4, 4}, {3, 1, 3, 3}, {.padding = 1, .groups = 3}),
      convolution("depthwise with stride", {1, 2, 5, 5}, {4, 1, 3, 3}, {.stride = 2, .padding = 1, .groups = 2}),
      convolution("no images", {0, 2, 4, 4}, {4, 2, 3, 3}, {})};
  samples.push_back({.label = "no bias, one tensor as both",
                     .f = [](const Inputs& in) { return conv2d(in[0], in[0]); },
                     .inputs = {normal({4, 4, 2, 2})}});
  return samples;
}

Samples conv1d_samples() {
  return {{.label = "options",
           .f =
               [](const Inputs& in) {
                 return conv1d(in[0], in[1], in[2], {.stride = 2, .padding = 1, .dilation = 2, .groups = 2});
               },
           .inputs = {normal({2, 4, 9}), normal({8, 2, 3}), normal({8})}},
          {.label = "no bias",
           .f = [](const Inputs& in) { return conv1d(in[0], in[1]); },
           .inputs = {normal({1, 4, 5}), normal({2, 4, 3})}}};
}

Samples conv_transpose2d_samples() {
  return {transposed("plain", {2, 3, 3, 2}, {3, 4, 2, 3}, {}),
          transposed("stride", {1, 4, 3, 3}, {4, 5, 3, 3}, {.stride = 2, .padding = 1, .output_padding = 1}),
          transposed("stride without overlap", {1, 4, 2, 3}, {4, 4, 2, 2}, {.stride = 2}),
          transposed("stride beyond the kernel", {1, 2, 3, 3}, {2, 4, 1, 1}, {.stride = 2, .output_padding = 1}),
          transposed("dilation", {1, 2, 3, 3}, {2, 4, 2, 3},
                     {.stride = {1, 2}, .padding = {1, 2}, .output_padding = {1, 1}, .dilation = {2, 3}}),
          transposed("groups", {2, 8, 2, 3}, {8, 4, 2, 2}, {.stride = 2, .groups = 2}),
          transposed("depthwise", {2, 3, 3, 3}, {3, 1, 3, 3}, {.stride = 2, .padding = 1, .groups = 3})};
}

Samples conv_transpose1d_samples() {
  return {{.label = "options",
           .f =
               [](const Inputs& in) {
                 return conv_transpose1d(in[0], in[1], in[2],
                                         {.stride = 2, .padding = 1, .output_padding = 1, .groups = 2, .dilation = 2});
               },
           .inputs = {normal({2, 4, 4}), normal({4, 3, 3}), normal({6})}}};
}

Samples unfold_samples() {
  return {{.label = "options",
           .f =
               [](const Inputs& in) {
                 return unfold(in[0], {2, 3}, {.dilation = {2, 1}, .padding = {1, 0}, .stride = {1, 2}});
               },
           .inputs = {normal({2, 2, 4, 5})}}};
}

Samples fold_samples() {
  return {{.label = "overlapping",
           .f =
               [](const Inputs& in) {
                 return fold(in[0], {4, 5}, {2, 3}, {.dilation = {2, 1}, .padding = {1, 0}, .stride = {1, 2}});
               },
           .inputs = {normal({2, 12, 8})}}};
}

Samples pad_samples() {
  const auto padded = [](const std::string& label, const Shape& pad, PadOptions options) {
    return Sample{.label = label,
                  .f = [=](const Inputs& in) { return tapegrad::pad(in[0], pad, options); },
                  .inputs = {normal({2, 3, 4})}};
  };
  return {padded("constant", {1, 2, 0, 1}, {.value = 3}), padded("cut off", {-1, 2, 1, -2}, {}),
          padded("reflect", {2, 3, 1, 0}, {.mode = PadMode::reflect}),
          padded("replicate", {2, 5, 1, 0}, {.mode = PadMode::replicate})};
}

Samples max_pool2d_samples() {
  const auto pooled = [](const std::string& label, Size2 kernel, MaxPool2dOptions options) {
    return Sample{.label = label,
                  .f = [=](const Inputs& in) { return max_pool2d(in[0], kernel, options); },
                  .inputs = {distinct({2, 2, 5, 6})}};
  };
  return {pooled("halves", 2, {}), pooled("overlapping", 3, {.stride = 2, .padding = 1}),
          pooled("dilation", 2, {.stride = 1, .padding = {1, 0}, .dilation = {2, 3}}),
          pooled("rounded up", {2, 3}, {.stride = {2, 2}, .ceil_mode = true})};
}

Samples max_pool1d_samples() {
  return {{.label = "options",
           .f = [](const Inputs& in) { return max_pool1d(in[0], 3, {.stride = 2, .padding = 1, .ceil_mode = true}); },
           .inputs = {distinct({2, 2, 6})}}};
}

Samples avg_pool2d_samples() {
  const auto pooled = [](const std::string& label, Size2 kernel, AvgPool2dOptions options) {
    return Sample{.label = label,
                  .f = [=](const Inputs& in) { return avg_pool2d(in[0], kernel, options); },
                  .inputs = {normal({2, 2, 5, 6})}};
  };
  return {pooled("halves", 2, {}), pooled("overlapping", {3, 2}, {.stride = {2, 1}, .padding = 1}),
          pooled("without padding", 3, {.stride = 2, .padding = 1, .count_include_pad = false})};
}

Samples adaptive_avg_pool2d_samples() {
  const auto pooled = [](const std::string& label, Size2 size) {
    return Sample{.label = label,
                  .f = [=](const Inputs& in) { return adaptive_avg_pool2d(in[0], size); },
                  .inputs = {normal({2, 2, 5, 4})}};
  };
  return {pooled("one", 1), pooled("overlapping", {3, 3}), pooled("larger", {7, 2})};
}

Samples interpolate_samples() {
  const auto resized = [](const std::string& label, InterpolateOptions options) {
    return Sample{.label = label,
                  .f = [=](const Inputs& in) { return interpolate(in[0], options); },
                  .inputs = {normal({1, 2, 3, 4})}};
  };
  return {resized("nearest", {.scale_factor = 2}), resized("nearest, smaller", {.size = {2, 3}}),
          resized("bilinear", {.scale_factor = 2, .mode = Interpolation::bilinear}),
          resized("corners", {.size = {5, 2}, .mode = Interpolation::bilinear, .align_corners = true})};
}

}  // namespace tapegrad
