// Copies of the factors in the order in which the inner loop of a product reads them, to be called inside simd() with
// its instruction set I.
//
//   panel of B   [k, panel_width], I::tile_vectors vectors wide
//   block of A   m / tile_rows parts, each [k, tile_rows], `step` apart
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/vector/shuffle.h"

namespace tapegrad::kernels {

template <class I, class T>
constexpr int64_t panel_width = I::tile_vectors* lanes<I, T>;

/// Copies n < 32 numbers in at most five moves.
template <class T>
inline void copy_few(const T* from, T* to, int64_t n) {
  int64_t i = 0;
  const auto move = [&]<int size>(std::integral_constant<int, size>) {
    if (n & size) {
      std::memcpy(to + i, from + i, size * sizeof(T));
      i += size;
    }
  };
  move(std::integral_constant<int, 16>{});
  move(std::integral_constant<int, 8>{});
  move(std::integral_constant<int, 4>{});
  move(std::integral_constant<int, 2>{});
  move(std::integral_constant<int, 1>{});
}

/// panel[p, j] = b[j, p] for `cols` <= panel_width rows of B; the rest of the panel repeats the last of them.
template <class I, class T>
inline void pack_transposed(int64_t k, int64_t cols, const T* b, int64_t ldb, T* panel) {
  using V = Vector<I, T>;
  constexpr int n = lanes<I, T>;
  constexpr int64_t width = panel_width<I, T>;
  for (int64_t first = 0; first < width; first += n) {
    const auto row_of = [=](int64_t j) { return b + std::min(first + j, cols - 1) * ldb; };
    int64_t p = 0;
    for (; p + n <= k; p += n) {
      V row[n];
#pragma GCC unroll 16
      for (int j = 0; j < n; ++j) row[j] = load<V>(row_of(j) + p);
      transpose(row);
#pragma GCC unroll 16
      for (int j = 0; j < n; ++j) store(panel + (p + j) * width + first, row[j]);
    }
    for (; p < k; ++p) {
      for (int64_t j = 0; j < n; ++j) panel[p * width + first + j] = row_of(j)[p];
    }
  }
}

/// panel[p, j] = b[p, j] for `cols` <= panel_width columns of B, the rest of the panel zero.
template <class I, class T>
inline void pack_rows(int64_t k, int64_t cols, const T* b, int64_t ldb, T* panel) {
  constexpr int64_t width = panel_width<I, T>;
  if (cols < width) std::memset(panel, 0, static_cast<size_t>(k * width) * sizeof(T));
  for (int64_t p = 0; p < k; ++p, b += ldb, panel += width) {
    if (cols == width) {
#pragma GCC unroll 4
      for (int j = 0; j < width; j += lanes<I, T>) store(panel + j, load<Vector<I, T>>(b + j));
    } else {
      copy_few(b, panel, cols);
    }
  }
}

/// block[i / tile_rows * step + p * tile_rows + i % tile_rows] = a[p, i] for m columns of A, row by row, as memory is read
/// best. With a step of whole pages what is written would fall into few sets of the cache.
template <class I, class T>
inline void pack_a(int64_t m, int64_t k, const T* a, int64_t lda, T* block, int64_t step) {
  constexpr int64_t n = I::tile_rows;
  const int64_t whole = m / n * n;
  for (int64_t p = 0; p < k; ++p, a += lda) {
    T* to = block + p * n;
    for (int64_t i = 0; i < whole; i += n, to += step) std::memcpy(to, a + i, n * sizeof(T));
    if (whole < m) copy_few(a + whole, to, m - whole);
  }
}

}  // namespace tapegrad::kernels
