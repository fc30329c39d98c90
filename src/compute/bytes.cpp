#include "compute/bytes.h"

#include "kernels/vector/simd.h"

namespace tapegrad::compute {

Tensor from_bytes(const unsigned char* from, const Shape& shape, double scale) {
  Tensor y = detail::new_tensor(shape, float32);
  kernels::simd([from, scale, n = y.numel(), to = detail::mutable_ptr<float>(y)] {
    for (int64_t i = 0; i < n; ++i) to[i] = float(from[i] * scale);
  });
  return y;
}

}  // namespace tapegrad::compute
