// The blocks keep what is read again close: the panel of B in the first-level cache while the rows of A pass,
// the rows of A in the second while the panels pass. Everything is packed on the stack, so that no product
// allocates.
#include "kernels/gemm/product.h"

#include <algorithm>

#include "kernels/gemm/tile.h"

namespace tapegrad::kernels {

namespace {

constexpr int64_t most_k = 256;  // rows in a panel of at most 32 KiB
constexpr int64_t rows_of_a = 512;

// A^T is packed: read in place, each row of a tile would be a cache line and a page of its own. Each panel of B
// passes over all of a block.
constexpr int64_t packed_k = 128;
template <class T>
constexpr int64_t packed_rows = 1024 / sizeof(T);  // 135 KB: threads may have stacks of 256

// The block size near `most` that cuts `size` into equal parts, a multiple of `step` where there are several.
int64_t even_block(int64_t size, int64_t most, int64_t step) {
  if (size <= most) return size;
  const int64_t parts = (size + most - 1) / most;
  return std::min(most / step * step, ((size + parts - 1) / parts + step - 1) / step * step);
}

template <class I, class T>
inline void pack_panel(const GemmArgs<T>& g, int64_t p, int64_t k, int64_t j, T* panel) {
  const int64_t cols = std::min(panel_width<I, T>, g.n - j);
  if (g.trans_b) {
    pack_transposed<I>(k, cols, g.b + j * g.ldb + p, g.ldb, panel);
  } else {
    pack_rows<I>(k, cols, g.b + p * g.ldb + j, g.ldb, panel);
  }
}

template <class T>
inline Target<T> target(const GemmArgs<T>& g, int64_t p, int64_t i, int64_t j) {
  return {g.alpha, p == 0 ? g.beta : T(1), g.c + i * g.ldc + j, g.ldc};
}

template <class I, class T>
inline void panels_of_a(const GemmArgs<T>& g) {
  constexpr int64_t width = panel_width<I, T>;
  alignas(64) T panel[most_k * width];
  const int64_t kb = even_block(g.k, g.m > 64 ? most_k : most_k / 2, 16);
  for (int64_t i = 0; i < g.m; i += rows_of_a) {
    for (int64_t p = 0; p < g.k; p += kb) {
      const int64_t k = std::min(kb, g.k - p);
      for (int64_t j = 0; j < g.n; j += width) {
        pack_panel<I>(g, p, k, j, panel);
        panel_of_tiles<I>(std::min(rows_of_a, g.m - i), Factors<T>{k, g.a + i * g.lda + p, g.lda, 1, panel, width, 0},
                          target(g, p, i, j), std::min(width, g.n - j));
      }
    }
  }
}

template <class I, class T>
inline void panels_of_transposed_a(const GemmArgs<T>& g) {
  constexpr int64_t width = panel_width<I, T>, rows = I::tile_rows;
  alignas(64) T panel[packed_k * width];
  constexpr int64_t step = packed_k * rows + 16;
  alignas(64) T block[step * (packed_rows<T> / rows + 1)];
  const int64_t kb = even_block(g.k, packed_k, 16), mb = even_block(g.m, packed_rows<T>, rows);
  for (int64_t i = 0; i < g.m; i += mb) {
    const int64_t m = std::min(mb, g.m - i);
    for (int64_t p = 0; p < g.k; p += kb) {
      const int64_t k = std::min(kb, g.k - p);
      pack_a<I>(m, k, g.a + p * g.lda + i, g.lda, block, step);
      for (int64_t j = 0; j < g.n; j += width) {
        pack_panel<I>(g, p, k, j, panel);
        for (int64_t r = 0; r < m; r += rows) {
          panel_of_tiles<I>(std::min(rows, m - r),
                            Factors<T, One>{k, block + r / rows * step, One{}, rows, panel, width, 0},
                            target(g, p, i + r, j), std::min(width, g.n - j));
        }
      }
    }
  }
}

// C[m <= tile_rows, n] += A B for k rows of B in place, except the last columns, which are in `last`.
template <class I, class T, class Step>
inline void rows_in_place(const GemmArgs<T>& g, Step a_row, int64_t a_col, int64_t i, int64_t p, int64_t k,
                          const T* last) {
  constexpr int64_t width = panel_width<I, T>;
  const int64_t m = std::min<int64_t>(I::tile_rows, g.m - i), whole = g.n / width * width;
  Factors<T, Step> f{k, g.a + i * a_row + p * a_col, a_row, a_col, g.b + p * g.ldb, g.ldb, width};
  int64_t j = 0;
  if (m <= I::tile_rows / 2) {
    for (; j + 2 * width <= whole; j += 2 * width, f.b += 2 * width)
      column_of_tiles<I, 2 * I::tile_vectors>(m, f, target(g, p, i, j), 2 * width);
  }
  for (; j < whole; j += width, f.b += width) column_of_tiles<I, I::tile_vectors>(m, f, target(g, p, i, j), width);
  if (j == g.n) return;
  f.b = last;
  f.b_row = width;
  panel_of_tiles<I>(m, f, target(g, p, i, j), g.n - j);
}

template <class I, int rows, class T>
inline void dots(int64_t n, const T* a, const GemmArgs<T>& g, int64_t i, int64_t j) {
  constexpr int cols = std::min(8, lanes<I, T> / (rows == 3 ? 4 : rows));
  if constexpr (cols > 0) {
    for (; n >= cols; n -= cols, j += cols)
      dot_tile<I, rows, cols>(g.k, a, g.lda, g.b + j * g.ldb, g.ldb, target(g, 0, i, j));
    for (; n > 0; --n, ++j) dot_tile<I, rows, 1>(g.k, a, g.lda, g.b + j * g.ldb, g.ldb, target(g, 0, i, j));
  }
}

}  // namespace

template <class T>
void gemm_panels(const GemmArgs<T>& g) {
  simd_of_product([=](auto isa) {
    using I = decltype(isa);
    g.trans_a ? panels_of_transposed_a<I>(g) : panels_of_a<I>(g);
  });
}

template <class T>
void gemm_rows(const GemmArgs<T>& g) {
  // Reading few rows of B to their end suits the prefetcher where B comes from memory.
  const int64_t kb = g.n * g.k > (1 << 18) ? 16 : 64;
  simd_of_product([=](auto isa) {
    using I = decltype(isa);
    constexpr int64_t width = panel_width<I, T>;
    alignas(64) T last[64 * width];
    const int64_t whole = g.n / width * width;
    for (int64_t p = 0; p < g.k; p += kb) {
      const int64_t k = std::min(kb, g.k - p);
      if (whole < g.n) pack_rows<I>(k, g.n - whole, g.b + p * g.ldb + whole, g.ldb, last);
      for (int64_t i = 0; i < g.m; i += I::tile_rows) {
        if (g.trans_a)
          rows_in_place<I>(g, One{}, g.lda, i, p, k, last);
        else
          rows_in_place<I>(g, g.lda, 1, i, p, k, last);
      }
    }
  });
}

template <class T>
void gemm_dots(const GemmArgs<T>& g) {
  simd_of_product([=](auto isa) {
    using I = decltype(isa);
    constexpr int64_t most = std::min(4, lanes<I, T>);  // rows of A, and so many of B stay close while they pass
    const int64_t step = g.m < most ? g.n : most;
    for (int64_t j = 0; j < g.n; j += step) {
      const int64_t n = std::min(step, g.n - j);
      const T* a = g.a;
      int64_t i = 0;
      for (; i + most <= g.m; i += most, a += most * g.lda) dots<I, most>(n, a, g, i, j);
      switch (g.m - i) {
        case 3: dots<I, 3>(n, a, g, i, j); break;
        case 2: dots<I, 2>(n, a, g, i, j); break;
        case 1: dots<I, 1>(n, a, g, i, j); break;
        default: break;
      }
    }
  });
}

template void gemm_panels(const GemmArgs<float>&);
template void gemm_panels(const GemmArgs<double>&);
template void gemm_rows(const GemmArgs<float>&);
template void gemm_rows(const GemmArgs<double>&);
template void gemm_dots(const GemmArgs<float>&);
template void gemm_dots(const GemmArgs<double>&);

}  // namespace tapegrad::kernels
