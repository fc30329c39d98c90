// y = x with the entries of some axes in reverse order.
//   dx = dy, reversed again
// The copy reads a view with negative strides.
#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor flip(const Tensor& x, const Shape& axes) {
  const uint32_t flipped = compute::axis_bits("flip", axes, x.dim());
  Shape strides = x.strides();
  int64_t offset = 0;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (!(flipped >> i & 1)) continue;
    if (x.numel() > 0) offset += (x.shape()[i] - 1) * strides[i];
    strides[i] = -strides[i];
  }
  const Tensor y = detail::contiguous_copy(detail::new_view(x, x.shape(), strides, offset));
  return record("flip", y, {x}, {{"axes", axes}},
                [axes](const Tensor& dy) -> Gradients { return {flip(dy, axes)}; });
}

}  // namespace tapegrad
