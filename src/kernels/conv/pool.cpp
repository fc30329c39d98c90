// Maxima of windows. The taps are taken one after the other, each for a block of windows side by side, as many as a vector has
// lanes. Where a maximum stood is kept in the type of the elements, whose vectors have as many lanes. Blocks are arrays, and
// vectors only where lanes change places: GCC 12 takes comparisons of vectors apart (docs/kernels.md).
#include <algorithm>
#include <limits>
#include <utility>

#include "kernels/conv/conv.h"
#include "kernels/vector/lanes.h"

namespace tapegrad::kernels {

namespace {

// The first tap of a window that begins at `first` which is not before the image, or kernel.
inline int64_t first_tap(const Window& w, int64_t first) {
  return first >= 0 ? 0 : std::min(w.kernel, (-first + w.dilation - 1) / w.dilation);
}

// Every second number of a and then of b, from the first on.
template <class V, size_t... lane>
inline V evens(V a, V b, std::index_sequence<lane...>) {
  return __builtin_shufflevector(a, b, 2 * lane...);
}

// value[i] = from[i * stride], in whole vectors: what is stored in parts is slow to load as one.
template <class I, int stride, class T>
inline void tap_inside(const T* from, T* value) {
  using V = Vector<I, T>;
  constexpr int64_t block = lanes<I, T>;
  if constexpr (stride == 1)
    store(value, load<V>(from));
  else
    store(value, evens(load<V>(from), load<V>(from + block), std::make_index_sequence<block>{}));
}

// value[i] = from[i * stride] where column + i * stride is inside, else -inf.
template <class T>
inline void tap_at_edge(const Window& w, int64_t column, int64_t n, const T* from, T* value) {
  for (int64_t i = 0; i < n; ++i) {
    const int64_t there = column + i * w.stride;
    value[i] = there >= 0 && there < w.in ? from[i * w.stride] : -std::numeric_limits<T>::infinity();
  }
}

// place[i] = that of the first pixel that window i has, -1 where it has none.
template <int64_t block, class T>
inline void first_places(const Window& h, const Window& w, int64_t top, int64_t left, int64_t n, T* place) {
  const int64_t u = first_tap(h, top);
  const bool has_rows = u < h.kernel && top + u * h.dilation < h.in;
  const T in_column = static_cast<T>(has_rows ? u * h.dilation * w.in : -1);
  TAPEGRAD_LANES
  for (int64_t i = 0; i < block; ++i) place[i] = in_column;
  if (!has_rows || (left >= 0 && left + (n - 1) * w.stride < w.in)) return;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = left + i * w.stride, v = first_tap(w, begin);
    const bool has_columns = v < w.kernel && begin + v * w.dilation < w.in;
    place[i] = has_columns ? in_column + static_cast<T>(v * w.dilation) : T(-1);
  }
}

// n windows of row o from window q on, at most a block. The numbers of a whole block are stored if the result has room: those
// beyond belong to the next row, which is written later. Up to `end` a block may read beyond its windows.
template <class I, class T>
inline void max_of_block(const Window& h, const Window& w, const T* end, const T* x, int64_t o, int64_t q, int64_t n,
                         bool has_room, T* y, T* place) {
  constexpr int64_t block = lanes<I, T>;
  const int64_t top = o * h.stride - h.padding, left = q * w.stride - w.padding;
  alignas(64) T value[block] = {}, best[block], at[block];
  TAPEGRAD_LANES
  for (int64_t i = 0; i < block; ++i) best[i] = -std::numeric_limits<T>::infinity();
  first_places<block>(h, w, top, left, n, at);
  const int64_t first = first_tap(h, top);
  int64_t last = h.kernel;  // without a division for each block
  while (last > first && top + (last - 1) * h.dilation >= h.in) --last;
  const auto each_tap = [&](auto take) {
    for (int64_t u = first; u < last; ++u) {
      const int64_t row = u * h.dilation * w.in;
      for (int64_t v = 0; v < w.kernel; ++v) {
        take(left + v * w.dilation, x + top * w.in + row + left + v * w.dilation);
        const T number = static_cast<T>(row + v * w.dilation);
        TAPEGRAD_LANES
        for (int64_t i = 0; i < block; ++i) {
          const bool taken = (value[i] > best[i]) | (value[i] != value[i]);
          best[i] = taken ? value[i] : best[i];
          at[i] = taken ? number : at[i];
        }
      }
    }
  };
  const int64_t reach = (w.kernel - 1) * w.dilation, last_row = (top + (h.kernel - 1) * h.dilation) * w.in;
  const bool inside =
      left >= 0 && left + (n - 1) * w.stride + reach < w.in && x + last_row + left + reach + block * w.stride <= end;
  if (inside && w.stride == 1)
    each_tap([&](int64_t, const T* from) { tap_inside<I, 1>(from, value); });
  else if (inside && w.stride == 2)
    each_tap([&](int64_t, const T* from) { tap_inside<I, 2>(from, value); });
  else
    each_tap([&](int64_t column, const T* from) { tap_at_edge(w, column, n, from, value); });
  if (has_room) {
    std::memcpy(y, best, sizeof best);
    std::memcpy(place, at, sizeof at);
  } else {
    std::copy_n(best, n, y);
    std::copy_n(at, n, place);
  }
}

}  // namespace

template <class T>
void max_pool(int64_t planes, Window h, Window w, const T* x, T* y, T* place) {
  simd([=](auto isa) {
    constexpr int64_t block = lanes<decltype(isa), T>;
    const int64_t windows = planes * h.out * w.out;
    for (int64_t plane = 0; plane < planes; ++plane) {
      for (int64_t o = 0; o < h.out; ++o) {
        for (int64_t q = 0; q < w.out; q += block) {
          const int64_t at = (plane * h.out + o) * w.out + q;
          max_of_block<decltype(isa)>(h, w, x + planes * h.in * w.in, x + plane * h.in * w.in, o, q,
                                      std::min(block, w.out - q), at + block <= windows, y + at, place + at);
        }
      }
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
