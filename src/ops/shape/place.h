// The reverse of slice(): its gradient.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// Zeros of `shape`, with `part` at entries start, start + step, ... of `axis`. Recorded; dpart is that slice
/// of dy.
Tensor place(const Tensor& part, const Shape& shape, int64_t axis, int64_t start, int64_t step);

}  // namespace tapegrad
