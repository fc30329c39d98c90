// Windows as columns, and columns added up into an image. The pixels that one tap sees in all windows are a slice of the
// padded image, with the stride as its step: unfold() stacks the slices of all taps, fold() adds each where it was taken.
// Both are made of operations, and each is the other's gradient. They are the definition that convolution and pooling are
// made of in reference mode and in their tests; where memory counts, conv2d() needs none of this.
#include "ops/conv/conv.h"

namespace tapegrad {

void check_images(const char* op, const Tensor& x) {
  if (x.dim() != 4)
    fail<ShapeError>(op, "input must be [N, C, H, W], got {}{}", x.shape(),
                     x.dim() == 3 ? ". Hint: unsqueeze(0) makes a batch of one image" : "");
  check_floating(op, x);
}

namespace {

compute::Window window(const char* op, const char* axis, int64_t in, int64_t kernel, int64_t stride, int64_t padding,
                       int64_t dilation, bool ceil_mode) {
  // Beyond it a product of these could overflow.
  constexpr int64_t most = int64_t(1) << 30;
  const auto in_range = [&](const char* name, int64_t value, int64_t least) {
    if (value < least || value > most) fail<ValueError>(op, "{} must be in [{}, {}], got {}", name, least, most, value);
  };
  in_range("kernel_size", kernel, 1);
  in_range("stride", stride, 1);
  in_range("padding", padding, 0);
  in_range("dilation", dilation, 1);
  const int64_t span = dilation * (kernel - 1) + 1, room = in + 2 * padding - span;
  if (room < 0)
    fail<ShapeError>(op, "a window must fit into the input: its {} is {}, that of the input {} with {} of padding",
                     axis, span, in, 2 * padding);
  int64_t out = room / stride + 1;
  // The last window begins in the image or before it.
  if (ceil_mode && room % stride != 0 && out * stride < in + padding) ++out;
  return {in, out, kernel, stride, padding, dilation};
}

}  // namespace

Windows windows(const char* op, Size2 in, Size2 kernel, Size2 stride, Size2 padding, Size2 dilation, bool ceil_mode) {
  return {window(op, "height", in.h, kernel.h, stride.h, padding.h, dilation.h, ceil_mode),
          window(op, "width", in.w, kernel.w, stride.w, padding.w, dilation.w, ceil_mode)};
}

Tensor unfold(const Tensor& input, Size2 kernel, UnfoldOptions o) {
  check_images("unfold", input);
  const auto [h, w] = windows("unfold", {input.size(2), input.size(3)}, kernel, o.stride, o.padding, o.dilation);
  const Tensor x = pad(input, {w.padding, w.padding, h.padding, h.padding});
  const auto part = [](const Tensor& x, int64_t axis, int64_t tap, const compute::Window& w) {
    const int64_t first = tap * w.dilation;
    return slice(x, axis, first, first + (w.out - 1) * w.stride + 1, w.stride);
  };
  Tensors taps;
  for (int64_t u = 0; u < h.kernel; ++u) {
    const Tensor rows = part(x, 2, u, h);
    for (int64_t v = 0; v < w.kernel; ++v) taps.push_back(part(rows, 3, v, w));
  }
  return stack(taps, 2).reshape({x.size(0), x.size(1) * h.kernel * w.kernel, h.out * w.out});
}

Tensor fold(const Tensor& input, Size2 output_size, Size2 kernel, UnfoldOptions o) {
  if (input.dim() != 3) fail<ShapeError>("fold", "input must be [N, C KH KW, L], got {}", input.shape());
  check_floating("fold", input);
  const auto [h, w] = windows("fold", output_size, kernel, o.stride, o.padding, o.dilation);
  const int64_t n = input.size(0), taps = h.kernel * w.kernel, channels = input.size(1) / taps;
  if (channels * taps != input.size(1) || input.size(2) != h.out * w.out)
    fail<ShapeError>("fold", "input must be [N, C * {}, {}] for these windows, got {}", taps, h.out * w.out,
                     input.shape());
  const Tensor columns = input.reshape({n, channels, taps, h.out, w.out});
  const int64_t height = h.in + 2 * h.padding, width = w.in + 2 * w.padding;
  Tensor sum = zeros({n, channels, height, width}, {.dtype = input.dtype()});
  for (int64_t t = 0; t < taps; ++t) {
    const int64_t u = t / w.kernel * h.dilation, v = t % w.kernel * w.dilation;
    const Tensor rows = place(select(columns, 2, t), {n, channels, h.out, width}, 3, v, w.stride);
    sum = sum + place(rows, {n, channels, height, width}, 2, u, h.stride);
  }
  return narrow(narrow(sum, 2, h.padding, h.in), 3, w.padding, w.in);
}

}  // namespace tapegrad
