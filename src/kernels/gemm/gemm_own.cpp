// The blocks keep what is read again close: the panel of B in the first-level cache while the rows of A pass,
// the rows of A in the second while the panels pass. Everything is packed on the stack, so that no product
// allocates.
#include "kernels/gemm/gemm_own.h"

#include <algorithm>

#include "kernels/gemm/gemm_tile.h"

namespace tapegrad::kernels {

namespace {

using T = float;
constexpr int64_t width = panel_width<T>;
constexpr int64_t most_k = 256;  // rows in a panel of 32 KiB
constexpr int64_t rows_of_a = 512;

// A^T is packed: read in place, each row of a tile would be a cache line and a page of its own.
constexpr int64_t packed_k = 128;
constexpr int64_t packed_rows = 128;

// The block size near `most` that cuts `size` into equal parts, a multiple of the vector where there are
// several.
int64_t even_block(int64_t size, int64_t most) {
  if (size <= most) return size;
  const int64_t parts = (size + most - 1) / most;
  return std::min(most, ((size + parts - 1) / parts + lanes<T> - 1) / lanes<T> * lanes<T>);
}

inline void pack_panel(const GemmArgs<T>& g, int64_t p, int64_t k, int64_t j, T* panel) {
  const int64_t cols = std::min(width, g.n - j);
  if (g.trans_b) {
    pack_transposed(k, cols, g.b + j * g.ldb + p, g.ldb, panel);
  } else {
    pack_rows(k, cols, g.b + p * g.ldb + j, g.ldb, panel);
  }
}

inline Target<T> target(const GemmArgs<T>& g, int64_t p, int64_t i, int64_t j) {
  return {g.alpha, p == 0 ? g.beta : T(1), g.c + i * g.ldc + j, g.ldc};
}

// block[i / 8][p][i % 8] = a[p, i], the order in which tiles of 8 rows read it.
inline void pack_a(int64_t m, int64_t k, const T* a, int64_t lda, T* block) {
  constexpr int64_t n = Wide::rows;
  for (int64_t i = 0; i < m; i += n, block += k * n) {
    const int64_t valid = std::min(n, m - i);
    for (int64_t p = 0; p < k; ++p) {
      const T* from = a + p * lda + i;
      if (valid == n) {
        std::memcpy(block + p * n, from, n * sizeof(T));
      } else {
        copy_few(from, block + p * n, valid);
      }
    }
  }
}

inline void panels_of_a(const GemmArgs<T>& g) {
  alignas(64) T panel[most_k * width];
  const int64_t kb = even_block(g.k, g.m > 64 ? most_k : most_k / 2);
  for (int64_t i = 0; i < g.m; i += rows_of_a) {
    for (int64_t p = 0; p < g.k; p += kb) {
      const int64_t k = std::min(kb, g.k - p);
      for (int64_t j = 0; j < g.n; j += width) {
        pack_panel(g, p, k, j, panel);
        panel_of_tiles<Wide>(std::min(rows_of_a, g.m - i), k, g.a + i * g.lda + p, g.lda, int64_t{1}, panel,
                             width, target(g, p, i, j), std::min(width, g.n - j));
      }
    }
  }
}

inline void panels_of_transposed_a(const GemmArgs<T>& g) {
  alignas(64) T panel[packed_k * width];
  alignas(64) T block[packed_k * packed_rows];
  const int64_t kb = even_block(g.k, packed_k), mb = even_block(g.m, packed_rows);
  for (int64_t i = 0; i < g.m; i += mb) {
    const int64_t m = std::min(mb, g.m - i);
    for (int64_t p = 0; p < g.k; p += kb) {
      const int64_t k = std::min(kb, g.k - p);
      pack_a(m, k, g.a + p * g.lda + i, g.lda, block);
      for (int64_t j = 0; j < g.n; j += width) {
        pack_panel(g, p, k, j, panel);
        for (int64_t r = 0; r < m; r += Wide::rows) {
          panel_of_tiles<Wide>(std::min<int64_t>(Wide::rows, m - r), k, block + r * k, int64_t{1},
                               int64_t{Wide::rows}, panel, width, target(g, p, i + r, j),
                               std::min(width, g.n - j));
        }
      }
    }
  }
}

// C[m <= 8, n] += A B for k rows of B in place, except the last columns, which are in `last`.
inline void rows_in_place(const GemmArgs<T>& g, int64_t i, int64_t p, int64_t k, const T* last) {
  const int64_t m = std::min<int64_t>(Wide::rows, g.m - i), whole = g.n / width * width;
  const int64_t a_row = g.trans_a ? 1 : g.lda, a_col = g.trans_a ? g.lda : 1;
  const T* a = g.a + i * a_row + p * a_col;
  const T* b = g.b + p * g.ldb;
  int64_t j = 0;
  if (m <= Wide::rows / 2) {
    for (; j + 2 * width <= whole; j += 2 * width) {
      column_of_tiles<Wide, 4>(m, k, a, a_row, a_col, b + j, g.ldb, width, target(g, p, i, j), 2 * width);
    }
  }
  for (; j < whole; j += width) {
    column_of_tiles<Wide, 2>(m, k, a, a_row, a_col, b + j, g.ldb, width, target(g, p, i, j), width);
  }
  if (j < g.n) panel_of_tiles<Wide>(m, k, a, a_row, a_col, last, width, target(g, p, i, j), g.n - j);
}

template <int rows>
inline void dots(int64_t n, const T* a, const GemmArgs<T>& g, int64_t i, int64_t j) {
  constexpr int cols = rows == 1 ? 8 : rows == 2 ? 8 : 4;
  for (; n >= cols; n -= cols, j += cols) {
    dot_tile<rows, cols>(g.k, a, g.lda, g.b + j * g.ldb, g.ldb, target(g, 0, i, j));
  }
  for (; n > 0; --n, ++j) dot_tile<rows, 1>(g.k, a, g.lda, g.b + j * g.ldb, g.ldb, target(g, 0, i, j));
}

}  // namespace

void gemm_panels(const GemmArgs<float>& g) {
  if (g.trans_a) {
    simd_wide([=] { panels_of_transposed_a(g); });
  } else {
    simd_wide([=] { panels_of_a(g); });
  }
}

void gemm_rows(const GemmArgs<float>& g) {
  // Reading few rows of B to their end suits the prefetcher where B comes from memory.
  const int64_t kb = g.n * g.k > (1 << 18) ? 16 : 64;
  simd_wide([=] {
    alignas(64) T last[64 * width];
    const int64_t whole = g.n / width * width;
    for (int64_t p = 0; p < g.k; p += kb) {
      const int64_t k = std::min(kb, g.k - p);
      if (whole < g.n) pack_rows(k, g.n - whole, g.b + p * g.ldb + whole, g.ldb, last);
      for (int64_t i = 0; i < g.m; i += Wide::rows) rows_in_place(g, i, p, k, last);
    }
  });
}

void gemm_dots(const GemmArgs<float>& g) {
  simd_wide([=] {
    const int64_t step = g.m < 4 ? g.n : 4;  // four rows of B stay close while the rows of A pass
    for (int64_t j = 0; j < g.n; j += step) {
      const int64_t n = std::min(step, g.n - j);
      const T* a = g.a;
      int64_t i = 0;
      for (; i + 4 <= g.m; i += 4, a += 4 * g.lda) dots<4>(n, a, g, i, j);
      switch (g.m - i) {
        case 3: dots<3>(n, a, g, i, j); break;
        case 2: dots<2>(n, a, g, i, j); break;
        case 1: dots<1>(n, a, g, i, j); break;
        default: break;
      }
    }
  });
}

}  // namespace tapegrad::kernels
