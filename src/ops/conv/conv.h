// What the operations on images share: the rule of their windows.
#pragma once
#include <tapegrad/ops/pool.h>

#include "compute/conv.h"
#include "ops/elementwise.h"

namespace tapegrad {

/// Throws unless x is floating and [N, C, H, W].
void check_images(const char* op, const Tensor& x);

/// The options of windows for images of size `in`. Throws ValueError where one is out of range, ShapeError where no window
/// fits.
struct Windows {
  compute::Window h, w;
};
Windows windows(const char* op, Size2 in, Size2 kernel, Size2 stride, Size2 padding, Size2 dilation,
                bool ceil_mode = false);

}  // namespace tapegrad
