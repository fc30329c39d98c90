// What a step is made of besides the kernels: its chunks, and the look at the gradients before it.
#pragma once
#include <tapegrad/tensor.h>

#include <cstdint>

#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::optim {

/// 16384 elements: 256 KB of the four arrays of Adam in float32, which is about 20 microseconds.
inline constexpr int64_t chunk = 1 << 14;

/// f(begin, n) for the chunks of the `n` elements of a parameter, on several threads.
template <class F>
void for_each_chunk(int64_t n, const F& f) {
  parallel_rows(n, chunk, [&f](int64_t begin, int64_t end) { f(begin, end - begin); });
}

/// The numbers of a moment to write to; null for one that the options leave out.
template <class T>
T* numbers_of(Tensor& moment) {
  return moment.defined() ? moment.mutable_data<T>().data() : nullptr;
}
template <class T>
T* at(T* numbers, int64_t begin) {
  return numbers ? numbers + begin : nullptr;
}

/// Whether every element of a contiguous gradient is finite.
bool all_finite(const Tensor& gradient);

/// The sum of the squares of a contiguous gradient, in float64.
double sum_of_squares(const Tensor& gradient);

}  // namespace tapegrad::optim
