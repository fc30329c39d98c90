// One number for each window of an image [N, C, H, W], channel by channel; and images of another size.
//
// **Throws** (all of them) ShapeError where a shape does not fit or a result would have no pixel, ValueError for an option
// out of range, DtypeError unless the input is floating.
#pragma once
#include <tapegrad/ops/conv.h>

namespace tapegrad {

template <class Size>
struct MaxPoolOptions {
  Size stride = 0;         ///< from window to window; 0: kernel_size
  Size padding = 0;        ///< pixels beyond the edge that count as -inf; at most half a kernel
  Size dilation = 1;       ///< from tap to tap
  bool ceil_mode = false;  ///< a window more where the last ones would leave pixels out
};
using MaxPool1dOptions = MaxPoolOptions<int64_t>;
using MaxPool2dOptions = MaxPoolOptions<Size2>;

/// The largest number of each window; NaN if one is.
///
/// **Shape**: input [N, C, H, W], y [N, C, H', W'] with H' as conv2d() has it, rounded up for ceil_mode unless the window
/// would begin beyond the image. **Gradient**: to the first of the largest, or the last NaN. PyTorch can return the indices
/// too.
Tensor max_pool2d(const Tensor& input, Size2 kernel_size, MaxPool2dOptions options = {});
/// The same along one axis: input [N, C, L].
Tensor max_pool1d(const Tensor& input, int64_t kernel_size, MaxPool1dOptions options = {});

struct AvgPool2dOptions {
  Size2 stride = 0;               ///< from window to window; 0: kernel_size
  Size2 padding = 0;              ///< zeros on all four sides; at most half a kernel
  bool count_include_pad = true;  ///< divide by the size of the window, padding or not
};

/// The mean of each window. **Shape**: as max_pool2d(). **Gradient**: dy shared evenly. PyTorch has ceil_mode and a
/// divisor too.
Tensor avg_pool2d(const Tensor& input, Size2 kernel_size, AvgPool2dOptions options = {});

/// The mean of each of output_size parts of an image, which overlap where sizes do not divide: part i of n reaches from
/// floor(i H / n) to ceil((i + 1) H / n). **Shape**: input [N, C, H, W], y [N, C, output_size]. **Gradient**: dy shared
/// evenly.
///
///     adaptive_avg_pool2d(x, 1);      // the mean of each channel
Tensor adaptive_avg_pool2d(const Tensor& input, Size2 output_size);

enum class Interpolation { nearest, bilinear };
struct InterpolateOptions {
  Size2 size = 0;           ///< of the result; or
  double scale_factor = 0;  ///< of both sizes
  Interpolation mode = Interpolation::nearest;
  bool align_corners = false;  ///< bilinear: the corner pixels' centers stay where they are, not their corners
};

/// The image in another size. Pixel i of n lies at (i + 1/2) H / n - 1/2 of H, or at i (H - 1) / (n - 1) for
/// align_corners; nearest takes pixel floor(i H / n), bilinear the mean of its two neighbours by distance, along rows and
/// columns. **Shape**: input [N, C, H, W], y [N, C, size]. **Gradient**: dy to the pixels that were taken, by their weights.
Tensor interpolate(const Tensor& input, InterpolateOptions options);

}  // namespace tapegrad
