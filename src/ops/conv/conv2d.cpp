// Convolution, transposed convolution and the gradient of the weight: three sums over the same products. With k = (u, v) a
// tap, i an output pixel and i s + k d - p the input pixel that it sees there,
//
//   L = sum over n, o, c, i, k of  w[o][c][k] x[n][c][i s + k d - p] dy[n][o][i]
//
// is linear in each of w, x and dy, and what it is multiplied with is its derivative:
//
//   y  = dL / d dy   y[n][o][i]  = sum over c, k of w[o][c][k] x[n][c][i s + k d - p]        convolution
//   dx = dL / dx     dx[n][c][j] = sum over o, k, i with i s + k d - p = j of w dy           transposed convolution
//   dw = dL / dw     dw[o][c][k] = sum over n, i of dy[n][o][i] x[n][c][i s + k d - p]
//
// So the gradients of each are the other two, with the third of (w, x, dy) replaced by what comes in; each is recorded as
// an operation of its own, which gives derivatives of every order. A transposed convolution from y to x is dx, read as an
// operation: its options are those of the convolution from x to y.
//
// Saved: x and w. Nothing is unfolded: src/compute/conv.cpp.
//
// Source: Dumoulin, Visin (2016), A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
#include "ops/conv/conv.h"

namespace tapegrad {

namespace {

using compute::Conv;

Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv& c);
Tensor transposed(const Tensor& y, const Tensor& w, const Tensor& bias, const Conv& c);

using Pairs = std::array<Shape, 3>;
Pairs pairs(const Conv& c) {
  return {Shape{c.h.stride, c.w.stride}, Shape{c.h.padding, c.w.padding}, Shape{c.h.dilation, c.w.dilation}};
}

Tensor of_channels(const Tensor& dy) { return sum(dy, {0, 2, 3}); }

Tensor weight_gradient(const Tensor& x, const Tensor& dy, const Conv& c) {
  const auto [stride, padding, dilation] = pairs(c);
  return record("conv2d_backward", c.weight_gradient(x, dy), {x, dy},
                {{"stride", stride}, {"padding", padding}, {"dilation", dilation}, {"groups", c.groups}},
                [x = Saved(x), dy = Saved(dy), c](const Tensor& dw, Needs needs) -> Gradients {
                  return {needs[0] ? transposed(dy, dw, {}, c) : Tensor(),
                          needs[1] ? convolution(x, dw, {}, c) : Tensor()};
                });
}

Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv& c) {
  const auto [stride, padding, dilation] = pairs(c);
  return record("conv2d", c.forward(x, w, bias), {x, w, bias},
                {{"stride", stride}, {"padding", padding}, {"dilation", dilation}, {"groups", c.groups}},
                [x = Saved(x), w = Saved(w), c](const Tensor& dy, Needs needs) -> Gradients {
                  return {needs[0] ? transposed(dy, w, {}, c) : Tensor(),
                          needs[1] ? weight_gradient(x, dy, c) : Tensor(),
                          needs[2] ? of_channels(dy) : Tensor()};
                });
}

Tensor transposed(const Tensor& y, const Tensor& w, const Tensor& bias, const Conv& c) {
  const auto [stride, padding, dilation] = pairs(c);
  return record("conv_transpose2d", c.transposed(y, w, bias), {y, w, bias},
                {{"stride", stride},
                 {"padding", padding},
                 {"dilation", dilation},
                 {"groups", c.groups},
                 {"size", Shape{c.h.in, c.w.in}}},
                [y = Saved(y), w = Saved(w), c](const Tensor& dx, Needs needs) -> Gradients {
                  return {needs[0] ? convolution(dx, w, {}, c) : Tensor(),
                          needs[1] ? weight_gradient(dx, y, c) : Tensor(),
                          needs[2] ? of_channels(dx) : Tensor()};
                });
}

// `in` is the axis of the weight that belongs to the input; the other one is a group's share of the output.
void check(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias, int64_t groups,
           bool transposed, int64_t axes) {
  if (x.dim() != axes)
    fail<ShapeError>(op, "input must be {}, got {}{}", axes == 4 ? "[N, C, H, W]" : "[N, C, L]", x.shape(),
                     x.dim() == axes - 1 ? ". Hint: unsqueeze(0) makes a batch of one" : "");
  if (w.dim() != axes || w.numel() == 0)
    fail<ShapeError>(op, "weight must be {}{} with no size 0, got {}",
                     transposed ? "[C, O / groups, " : "[O, C / groups, ", axes == 4 ? "KH, KW]" : "K]",
                     w.shape());
  const int64_t first = w.size(0), second = w.size(1) * groups, in = transposed ? first : second,
                out = transposed ? second : first;
  if (groups < 1 || first % groups != 0)
    fail<ValueError>(op, "groups must divide the channels of weight {}, got {}", w.shape(), groups);
  if (x.size(1) != in)
    fail<ShapeError>(op, "input must have {} channels for weight {}{}, got {}", in, w.shape(),
                     groups > 1 ? fmt::format(" and {} groups", groups) : "", x.shape());
  check_floating(op, x);
  check_same_dtype(op, x, w);
  if (!bias.defined()) return;
  if (bias.shape() != Shape{out}) fail<ShapeError>(op, "bias must be [{}], got {}", out, bias.shape());
  check_same_dtype(op, x, bias);
}

Tensor conv(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& o,
            int64_t rank) {
  check(op, x, w, bias, o.groups, false, rank);
  const Tensor x4 = rank == 3 ? x.unsqueeze(2) : x, w4 = rank == 3 ? w.unsqueeze(2) : w;
  const auto [height, width] =
      windows(op, {x4.size(2), x4.size(3)}, {w4.size(2), w4.size(3)}, o.stride, o.padding, o.dilation);
  const Tensor y = convolution(x4, w4, bias, {height, width, o.groups});
  return rank == 3 ? y.squeeze(2) : y;
}

// The size of which a convolution makes `out`.
int64_t grown(const char* op, int64_t out, int64_t kernel, int64_t stride, int64_t padding, int64_t more,
              int64_t dilation) {
  if (more < 0 || more >= std::max(stride, dilation))
    fail<ValueError>(op, "output_padding must be at least 0 and below stride {} or dilation {}, got {}",
                     stride, dilation, more);
  const int64_t size = (out - 1) * stride - 2 * padding + dilation * (kernel - 1) + more + 1;
  if (size < 1) fail<ShapeError>(op, "the result must have pixels, its size would be {}", size);
  return size;
}

Tensor conv_transpose(const char* op, const Tensor& y, const Tensor& w, const Tensor& bias,
                      const ConvTranspose2dOptions& o, int64_t rank) {
  check(op, y, w, bias, o.groups, true, rank);
  const Tensor y4 = rank == 3 ? y.unsqueeze(2) : y, w4 = rank == 3 ? w.unsqueeze(2) : w;
  if (y4.size(2) * y4.size(3) == 0) fail<ShapeError>(op, "input must have pixels, got {}", y.shape());
  // Checks the options, for an input of a size that fits them.
  windows(op, 1 << 30, {w4.size(2), w4.size(3)}, o.stride, o.padding, o.dilation);
  const Size2 size(
      grown(op, y4.size(2), w4.size(2), o.stride.h, o.padding.h, o.output_padding.h, o.dilation.h),
      grown(op, y4.size(3), w4.size(3), o.stride.w, o.padding.w, o.output_padding.w, o.dilation.w));
  auto [height, width] = windows(op, size, {w4.size(2), w4.size(3)}, o.stride, o.padding, o.dilation);
  height.out = y4.size(2);
  width.out = y4.size(3);
  const Tensor x = transposed(y4, w4, bias, {height, width, o.groups});
  return rank == 3 ? x.squeeze(2) : x;
}

}  // namespace

Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias, Conv2dOptions options) {
  return conv("conv2d", input, weight, bias, options, 4);
}

Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias, Conv1dOptions o) {
  return conv("conv1d", input, weight, bias, {{1, o.stride}, {0, o.padding}, {1, o.dilation}, o.groups}, 3);
}

Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        ConvTranspose2dOptions options) {
  return conv_transpose("conv_transpose2d", input, weight, bias, options, 4);
}

Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias,
                        ConvTranspose1dOptions o) {
  return conv_transpose("conv_transpose1d", input, weight, bias,
                        {{1, o.stride}, {0, o.padding}, {0, o.output_padding}, o.groups, {1, o.dilation}}, 3);
}

}  // namespace tapegrad
