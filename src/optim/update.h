// The loop under every optimizer, and the look at the gradients before it.
//
// A step is limited by memory: Adam reads four arrays and writes three. So an optimizer's whole formula is
// the body of one loop over the elements, with no temporary between them.
#pragma once
#include <tapegrad/tensor.h>

#include <cstdint>

#include "core/parallel.h"
#include "kernels/map.h"

namespace tapegrad::optim {

/// 16384 elements: 256 KB of the four arrays of Adam in float32, which is about 20 microseconds.
inline constexpr int64_t chunk = 1 << 14;

/// f(i) for every i < n, vectorized, in chunks on several threads. f captures pointers and constants by
/// value; what it does to element i must not depend on any other.
template <class F>
void for_each_element(int64_t n, F f) {
  parallel_rows(n, chunk, [&f](int64_t begin, int64_t end) {
    kernels::simd([f, begin, end] {
      TAPEGRAD_INDEPENDENT
      for (int64_t i = begin; i < end; ++i) f(i);
    });
  });
}

/// Whether every element of a contiguous gradient is finite.
bool all_finite(const Tensor& gradient);

/// The sum of the squares of a contiguous gradient, in float64.
double sum_of_squares(const Tensor& gradient);

}  // namespace tapegrad::optim
