// Convolutions and what goes with them: images are [N, C, H, W], batch, channels, rows, columns; sequences [N, C, L].
//
// **Throws** (all of them) ShapeError where a shape does not fit or a result would have no pixel, ValueError for an option
// out of range, DtypeError unless all are floating and of one dtype. **Numerics**: sums over a window in the dtype, in one
// order for any number of threads. docs/convolution.md says how they are computed.
#pragma once
#include <concepts>

#include <tapegrad/tensor.h>

namespace tapegrad {

/// A number for each axis of an image, rows and columns, or one for both: {.stride = 2}, {.padding = {1, 0}}.
struct Size2 {
  template <std::integral T>
  requires(!std::same_as<T, bool>) Size2(T both) : h(int64_t(both)), w(int64_t(both)) {}
  Size2(int64_t h, int64_t w) : h(h), w(w) {}
  int64_t h, w;
  bool operator==(const Size2&) const = default;
};

template <class Size>
struct ConvOptions {
  Size stride = 1;     ///< from window to window
  Size padding = 0;    ///< zeros on all sides
  Size dilation = 1;   ///< from tap to tap
  int64_t groups = 1;  ///< the channels in so many parts, each with outputs of its own
};
using Conv1dOptions = ConvOptions<int64_t>;
using Conv2dOptions = ConvOptions<Size2>;

/// Cross-correlation, as everybody calls it convolution:
///
///     y[n][o][i][j] = bias[o] + sum over c, u, v of
///                     weight[o][c][u][v] input[n][c][i stride + u dilation - padding][...]
///
/// with zeros for what lies outside. With groups, output o sees the channels of its part only; as many groups as channels
/// is a depthwise convolution.
///
/// **Shape**: input [N, C, H, W], weight [O, C / groups, KH, KW], bias [O] or undefined; y [N, O, H', W'] with
/// H' = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1. PyTorch takes an image without the batch axis too,
/// and padding by name.
/// **Gradient**: dx is the transposed convolution of dy; dweight[o][c][u][v] = sum of dy times what that tap saw; dbias =
/// dy summed over all but the channels.
///
///     Tensor y = conv2d(x, weight, bias, {.stride = 2, .padding = 1});
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, Conv2dOptions options = {});
/// The same along one axis: input [N, C, L], weight [O, C / groups, K], y [N, O, L'].
Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {}, Conv1dOptions options = {});

template <class Size>
struct ConvTransposeOptions {
  Size stride = 1;
  Size padding = 0;
  Size output_padding = 0;  ///< pixels more at the end; below stride or dilation
  int64_t groups = 1;
  Size dilation = 1;
};
using ConvTranspose1dOptions = ConvTransposeOptions<int64_t>;
using ConvTranspose2dOptions = ConvTransposeOptions<Size2>;

/// The gradient of conv2d() as an operation: each input pixel adds weight times itself to its window of the result, which
/// is how small images become large.
///
/// **Shape**: input [N, C, H, W], weight [C, O / groups, KH, KW], bias [O] or undefined; y [N, O, H', W'] with
/// H' = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1.
/// **Gradient**: dx = conv2d(dy, weight), dweight as conv2d()'s with input and dy exchanged, dbias = dy summed over all but
/// the channels.
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
                        ConvTranspose2dOptions options = {});
/// The same along one axis: input [N, C, L], weight [C, O / groups, K], y [N, O, L'].
Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias = {},
                        ConvTranspose1dOptions options = {});

struct UnfoldOptions {
  Size2 dilation = 1;
  Size2 padding = 0;
  Size2 stride = 1;
};

/// The windows of an image as columns: input [N, C, H, W] gives [N, C KH KW, L], L the number of windows. conv2d() is the
/// weight, as [O, C KH KW], times this.   dx = fold(dy).
Tensor unfold(const Tensor& input, Size2 kernel_size, UnfoldOptions options = {});
/// Columns added up into the image [N, C, output_size] whose windows they are: what unfold() does to a gradient.
/// dx = unfold(dy).
Tensor fold(const Tensor& input, Size2 output_size, Size2 kernel_size, UnfoldOptions options = {});

enum class PadMode {
  constant,  ///< `value`
  reflect,   ///< what is beyond the edge pixel, as in a mirror that stands on it
  replicate  ///< the edge pixel
};
struct PadOptions {
  PadMode mode = PadMode::constant;
  double value = 0;
};

/// More entries before and behind the last axes, in PyTorch's order: {left, right, top, bottom} pads columns, then rows.
/// Negative numbers cut off. **Gradient**: dx = dy of what is a copy of x, added up where there are several.
///
///     pad(x, {1, 1, 2, 2});      // one column left and right, two rows at top and bottom
Tensor pad(const Tensor& input, const Shape& pad, PadOptions options = {});

}  // namespace tapegrad
