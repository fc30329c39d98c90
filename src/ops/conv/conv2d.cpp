// Convolution, transposed convolution and the gradient of the weight: with k = (u, v) a tap and i an output pixel, each is
// the derivative of one sum, linear in w, x and dy, by one of them (docs/convolution.md):
//
//   L = sum over n, o, c, i, k of  w[o][c][k] x[n][c][i s + k d - p] dy[n][o][i]
//   y = dL / d dy     dx = dL / dx, the transposed convolution     dw = dL / dw
//
// So the gradients of each are the other two, with the third of (w, x, dy) replaced by what comes in; each is recorded as
// an operation of its own, which gives derivatives of every order. Saved: x and w.
//
// Source: Dumoulin, Visin (2016), A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
#include "ops/conv/conv.h"

namespace tapegrad {

namespace {

using compute::Conv;

Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv& c);
Tensor transposed(const Tensor& y, const Tensor& w, const Tensor& bias, const Conv& c);

template <class Vjp>
Tensor recorded(const char* op, const Tensor& y, detail::Inputs in, const Conv& c, Vjp vjp) {
  return record(op, y, in,
                {{"stride", Shape{c.h.stride, c.w.stride}},
                 {"padding", Shape{c.h.padding, c.w.padding}},
                 {"dilation", Shape{c.h.dilation, c.w.dilation}},
                 {"groups", c.groups},
                 {"size", Shape{c.h.in, c.w.in}}},
                vjp);
}

// Pixels first: they lie side by side, and nothing has to be copied.
Tensor of_channels(const Tensor& dy) { return sum(sum(dy, {2, 3}), {0}); }

Tensor weight_gradient(const Tensor& x, const Tensor& dy, const Conv& c) {
  return recorded(
      "conv2d_backward", c.weight_gradient(x, dy), {x, dy}, c,
      [x = Saved(x), dy = Saved(dy), c](const Tensor& dw, Needs needs) -> Gradients {
        return {needs[0] ? transposed(dy, dw, {}, c) : Tensor(), needs[1] ? convolution(x, dw, {}, c) : Tensor()};
      });
}

Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv& c) {
  return recorded("conv2d", c.forward(x, w, bias), {x, w, bias}, c,
                  [x = Saved(x), w = Saved(w), c](const Tensor& dy, Needs needs) -> Gradients {
                    return {needs[0] ? transposed(dy, w, {}, c) : Tensor(),
                            needs[1] ? weight_gradient(x, dy, c) : Tensor(), needs[2] ? of_channels(dy) : Tensor()};
                  });
}

Tensor transposed(const Tensor& y, const Tensor& w, const Tensor& bias, const Conv& c) {
  return recorded("conv_transpose2d", c.transposed(y, w, bias), {y, w, bias}, c,
                  [y = Saved(y), w = Saved(w), c](const Tensor& dx, Needs needs) -> Gradients {
                    return {needs[0] ? convolution(dx, w, {}, c) : Tensor(),
                            needs[1] ? weight_gradient(dx, y, c) : Tensor(), needs[2] ? of_channels(dx) : Tensor()};
                  });
}

// One axis of the weight has all channels, of the input if transposed, the other a group's share.
void check(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias, int64_t groups, bool transposed,
           int64_t axes) {
  if (x.dim() != axes)
    fail<ShapeError>(op, "input must be {}, got {}{}", axes == 4 ? "[N, C, H, W]" : "[N, C, L]", x.shape(),
                     x.dim() == axes - 1 ? ". Hint: unsqueeze(0) makes a batch of one" : "");
  if (w.dim() != axes || w.numel() == 0)
    fail<ShapeError>(op, "weight must be {}{} with no size 0, got {}",
                     transposed ? "[C, O / groups, " : "[O, C / groups, ", axes == 4 ? "KH, KW]" : "K]", w.shape());
  const int64_t first = w.size(0), second = w.size(1) * groups, in = transposed ? first : second,
                out = transposed ? second : first;
  if (groups < 1 || first % groups != 0)
    fail<ValueError>(op, "groups must divide the channels of weight {}, got {}", w.shape(), groups);
  if (x.size(1) != in)
    fail<ShapeError>(op, "input must have {} channels for weight {}{}, got {}", in, w.shape(),
                     groups > 1 ? fmt::format(" and {} groups", groups) : "", x.shape());
  check_floating(op, x);
  check_same_dtype(op, x, w);
  if (transposed && (x.size(2) == 0 || x.size(-1) == 0))
    fail<ShapeError>(op, "input must have pixels, got {}", x.shape());
  if (!bias.defined()) return;
  if (bias.shape() != Shape{out}) fail<ShapeError>(op, "bias must be [{}], got {}", out, bias.shape());
  check_same_dtype(op, x, bias);
}

Tensor conv(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dOptions& o) {
  const auto [height, width] =
      windows(op, {x.size(2), x.size(3)}, {w.size(2), w.size(3)}, o.stride, o.padding, o.dilation);
  return convolution(x, w, bias, {height, width, o.groups});
}

// The window of which a convolution makes `out` pixels.
compute::Window grown(const char* op, compute::Window w, int64_t out, int64_t more) {
  if (more < 0 || more >= std::max(w.stride, w.dilation))
    fail<ValueError>(op, "output_padding must be at least 0 and below stride {} or dilation {}, got {}", w.stride,
                     w.dilation, more);
  w.in = (out - 1) * w.stride - 2 * w.padding + w.dilation * (w.kernel - 1) + more + 1;
  w.out = out;
  if (w.in < 1) fail<ShapeError>(op, "the result must have pixels, its size would be {}", w.in);
  return w;
}

Tensor conv_transpose(const char* op, const Tensor& y, const Tensor& w, const Tensor& bias,
                      const ConvTranspose2dOptions& o) {
  // Checks the options, for an input of a size that fits them.
  const auto [height, width] = windows(op, 1 << 30, {w.size(2), w.size(3)}, o.stride, o.padding, o.dilation);
  return transposed(
      y, w, bias,
      {grown(op, height, y.size(2), o.output_padding.h), grown(op, width, y.size(3), o.output_padding.w), o.groups});
}

}  // namespace

Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias, Conv2dOptions o) {
  check("conv2d", input, weight, bias, o.groups, false, 4);
  return conv("conv2d", input, weight, bias, o);
}

Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias, Conv1dOptions o) {
  check("conv1d", input, weight, bias, o.groups, false, 3);
  return conv("conv1d", input.unsqueeze(2), weight.unsqueeze(2), bias,
              {{1, o.stride}, {0, o.padding}, {1, o.dilation}, o.groups})
      .squeeze(2);
}

Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias, ConvTranspose2dOptions o) {
  check("conv_transpose2d", input, weight, bias, o.groups, true, 4);
  return conv_transpose("conv_transpose2d", input, weight, bias, o);
}

Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias, ConvTranspose1dOptions o) {
  check("conv_transpose1d", input, weight, bias, o.groups, true, 3);
  return conv_transpose("conv_transpose1d", input.unsqueeze(2), weight.unsqueeze(2), bias,
                        {{1, o.stride}, {0, o.padding}, {0, o.output_padding}, o.groups, {1, o.dilation}})
      .squeeze(2);
}

}  // namespace tapegrad
