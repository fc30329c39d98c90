// Maxima of windows. The taps are taken one after the other, each for a block of windows side by side, so that the vectors
// are windows. Where a maximum stood is kept in the type of the elements, whose vectors have as many lanes.
#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/conv/conv.h"
#include "kernels/vector/lanes.h"

namespace tapegrad::kernels {

namespace {

constexpr int64_t block = 16;  // windows

// The first tap of a window that begins at `first` which is not before the image, or kernel.
inline int64_t first_tap(const Window& w, int64_t first) {
  return first >= 0 ? 0 : std::min(w.kernel, (-first + w.dilation - 1) / w.dilation);
}

// Every second number of a and then of b, from the first on.
template <class V, size_t... lane>
inline V evens(V a, V b, std::index_sequence<lane...>) {
  return __builtin_shufflevector(a, b, 2 * lane...);
}

// value[i] = x[i * stride] for a block, in whole vectors: what is stored in parts is slow to load as one.
template <class I, int stride, class T>
inline void load_block(const T* x, T* value) {
  using V = Vector<I, T>;
  constexpr int n = lanes<I, T>;
#pragma GCC unroll 16
  for (int64_t i = 0; i < block; i += n) {
    const T* from = x + i * stride;
    if constexpr (stride == 1)
      store(value + i, load<V>(from));
    else
      store(value + i, evens(load<V>(from), load<V>(from + n), std::make_index_sequence<n>{}));
  }
}

// The windows [q, q + n) of row o. Up to `end`, that of all planes, a block may read beyond its own windows.
template <class I, class T>
inline void max_of_block(const Window& h, const Window& w, const T* end, const T* x, int64_t o, int64_t q, int64_t n,
                         T* y, T* place) {
  const int64_t top = o * h.stride - h.padding, left = q * w.stride - w.padding;
  alignas(64) T value[block], best[block], at[block];
  TAPEGRAD_LANES
  for (int64_t i = 0; i < block; ++i) {
    best[i] = -std::numeric_limits<T>::infinity();
    at[i] = T(-1);
  }
  for (int64_t u = first_tap(h, top); u < h.kernel && top + u * h.dilation < h.in; ++u) {
    for (int64_t v = 0; v < w.kernel; ++v) {
      const int64_t column = left + v * w.dilation;
      const T* from = x + (top + u * h.dilation) * w.in + column;
      const bool inside = column >= 0 && column + (n - 1) * w.stride < w.in && from + block * w.stride <= end;
      if (inside && w.stride == 1) {
        load_block<I, 1>(from, value);
      } else if (inside && w.stride == 2) {
        load_block<I, 2>(from, value);
      } else {
        for (int64_t i = 0; i < n; ++i) {
          const int64_t there = column + i * w.stride;
          value[i] = there >= 0 && there < w.in ? from[i * w.stride] : -std::numeric_limits<T>::infinity();
        }
      }
      const T number = static_cast<T>(u * h.dilation * w.in + v * w.dilation);
      TAPEGRAD_LANES
      for (int64_t i = 0; i < block; ++i) {
        const bool taken = (value[i] > best[i]) | (value[i] != value[i]);
        best[i] = taken ? value[i] : best[i];
        at[i] = taken ? number : at[i];
      }
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    y[i] = best[i];
    place[i] = at[i];
    if (at[i] >= T(0)) continue;
    // All is -inf: the first pixel that there is.
    const int64_t u = first_tap(h, top), v = first_tap(w, left + i * w.stride);
    if (u < h.kernel && top + u * h.dilation < h.in && v < w.kernel && left + i * w.stride + v * w.dilation < w.in)
      place[i] = static_cast<T>(u * h.dilation * w.in + v * w.dilation);
  }
}

}  // namespace

template <class T>
void max_pool(int64_t planes, Window h, Window w, const T* x, T* y, T* place) {
  simd([=](auto isa) {
    for (int64_t row = 0; row < planes * h.out; ++row) {
      for (int64_t q = 0; q < w.out; q += block)
        max_of_block<decltype(isa)>(h, w, x + planes * h.in * w.in, x + row / h.out * h.in * w.in, row % h.out, q,
                                    std::min(block, w.out - q), y + row * w.out + q, place + row * w.out + q);
    }
  });
}

template <class T>
void max_pool_backward(Window h, Window w, const T* dy, const T* place, T* dx) {
  std::fill(dx, dx + h.in * w.in, T(0));
  for (int64_t o = 0; o < h.out; ++o) {
    const int64_t begin = (o * h.stride - h.padding) * w.in - w.padding;
    for (int64_t q = 0; q < w.out; ++q, ++dy, ++place)
      if (*place >= T(0)) dx[begin + q * w.stride + static_cast<int64_t>(*place)] += *dy;
  }
}

#define TAPEGRAD_INSTANTIATE(T)                                      \
  template void max_pool(int64_t, Window, Window, const T*, T*, T*); \
  template void max_pool_backward(Window, Window, const T*, const T*, T*)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
