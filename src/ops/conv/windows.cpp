#include "ops/conv/conv.h"

namespace tapegrad {

void check_images(const char* op, const Tensor& x) {
  if (x.dim() != 4)
    fail<ShapeError>(op, "input must be [N, C, H, W], got {}{}", x.shape(),
                     x.dim() == 3 ? ". Hint: unsqueeze(0) makes a batch of one image" : "");
  check_floating(op, x);
}

namespace {

compute::Window window(const char* op, const char* axis, int64_t in, int64_t kernel, int64_t stride,
                       int64_t padding, int64_t dilation, bool ceil_mode) {
  // Beyond it a product of these could overflow.
  constexpr int64_t most = int64_t(1) << 30;
  const auto in_range = [&](const char* name, int64_t value, int64_t least) {
    if (value < least || value > most)
      fail<ValueError>(op, "{} must be in [{}, {}], got {}", name, least, most, value);
  };
  in_range("kernel_size", kernel, 1);
  in_range("stride", stride, 1);
  in_range("padding", padding, 0);
  in_range("dilation", dilation, 1);
  const int64_t span = dilation * (kernel - 1) + 1, room = in + 2 * padding - span;
  if (room < 0)
    fail<ShapeError>(
        op, "a window must fit into the input: its {} is {}, that of the input {} with {} of padding", axis,
        span, in, 2 * padding);
  int64_t out = room / stride + 1;
  // The last window begins in the image or before it.
  if (ceil_mode && room % stride != 0 && out * stride < in + padding) ++out;
  return {in, out, kernel, stride, padding, dilation};
}

}  // namespace

Windows windows(const char* op, Size2 in, Size2 kernel, Size2 stride, Size2 padding, Size2 dilation,
                bool ceil_mode) {
  return {window(op, "height", in.h, kernel.h, stride.h, padding.h, dilation.h, ceil_mode),
          window(op, "width", in.w, kernel.w, stride.w, padding.w, dilation.w, ceil_mode)};
}

}  // namespace tapegrad
