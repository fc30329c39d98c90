// The inner tiles of the matrix products, to be called inside simd() with its instruction set I.
//
//   tile:     C[rows, vecs vectors] = alpha A B + beta C, one row of B and `rows` numbers of A at a time. The
//             sums stay in registers: I::tile_rows by I::tile_vectors of them are more independent chains than
//             the latency of a multiply-add needs, and each vector of B serves all rows.
//   dot_tile: C[rows, cols] for B stored [n, k]: A and B are both read along k, with no packing, and each
//             sum is a vector until the end.
//
// Each element of C is one chain of additions over k, whatever the tile.
#pragma once
#include <cstdint>
#include <type_traits>

#include "kernels/gemm/fma.h"
#include "kernels/gemm/pack.h"

namespace tapegrad::kernels {

/// Where a tile goes: C = alpha sum + beta C.
template <class T>
struct Target {
  T alpha, beta;
  T* c;
  int64_t ldc;
};

template <class V, class T>
inline V blend(V sum, const T* c, T alpha, T beta) {
  if (alpha != T(1)) sum *= alpha;
  if (beta == T(0)) return sum;
  return beta == T(1) ? sum + load<V>(c) : sum + load<V>(c) * beta;
}

/// a b + c, rounded once where the instruction set has it (the compiler fuses the two in this folder), or where the
/// set is to compute it (fma.h).
template <class I, class T, class V>
inline V multiply_add(T a, V b, V c) {
  if constexpr (I::computes_fma) {
    for (int k = 0; k < lanes<I, T>; ++k) c[k] = rounded_once(a, b[k], c[k]);
    return c;
  } else {
    return c + a * b;
  }
}

/// A step of one that the compiler knows: the numbers of A for a tile lie side by side.
using One = std::integral_constant<int64_t, 1>;

/// In place of the two steps, for a matrix that is never made: the number (i, p) of A is at a[row[i] + col[p]].
struct Gathered {
  const int64_t *row, *col;
};
inline int64_t operator*(int64_t i, Gathered at) { return at.row[i]; }
/// For a matrix B that is never made: its row p begins at b[col[p]]. A is stored [k, rows].
struct GatheredB {
  const int64_t* col;
};
inline int64_t operator*(int64_t i, GatheredB) { return i; }

/// Where a tile finds its factors: A at a[i * a_row + p * a_col], Step being int64_t, One, or one of the two above; B in panels,
/// row p of panel q at b[q * b_panel + p * b_row].
template <class T, class Step = int64_t>
struct Factors {
  int64_t k;
  const T* a;
  Step a_row;
  int64_t a_col;
  const T* b;
  int64_t b_row, b_panel;
};

/// Only the first `cols` columns are stored; B has all of them.
template <class I, int rows, int vecs, class T, class Step>
inline void tile(const Factors<T, Step>& f, const Target<T>& to, int64_t cols) {
  using V = Vector<I, T>;
  constexpr int n = lanes<I, T>;
  const T *a = f.a, *b = f.b;
  int64_t row[rows];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) row[i] = i * f.a_row;
  V sum[rows][vecs] = {};
  for (int64_t p = 0; p < f.k; ++p, a += f.a_col, b += f.b_row) {
    if constexpr (std::is_same_v<Step, Gathered>) a = f.a + f.a_row.col[p];
    if constexpr (std::is_same_v<Step, GatheredB>) b = f.b + f.a_row.col[p];
    V bv[vecs];
#pragma GCC unroll 16
    for (int v = 0; v < vecs; ++v) bv[v] = load<V>(b + (v / I::tile_vectors) * f.b_panel + (v % I::tile_vectors) * n);
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      const T x = a[row[i]];
#pragma GCC unroll 16
      for (int v = 0; v < vecs; ++v) sum[i][v] = multiply_add<I>(x, bv[v], sum[i][v]);
    }
  }
  if (cols == vecs * n) {
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < vecs; ++v) {
        T* c = to.c + i * to.ldc + v * n;
        store(c, blend(sum[i][v], c, to.alpha, to.beta));
      }
    }
  } else {
    T row[vecs * n];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 16
      for (int v = 0; v < vecs; ++v) store(row + v * n, sum[i][v]);
      T* c = to.c + i * to.ldc;
      for (int64_t j = 0; j < cols; ++j) c[j] = to.alpha * row[j] + (to.beta == T(0) ? T(0) : to.beta * c[j]);
    }
  }
}

/// All m rows of A with `vecs` vectors of columns, in tiles of at most I::tile_rows, fewer where there are more
/// vectors. The last two tiles share their rows, so that neither is too small to hide its latency. Each kind of
/// tile is a function of its own: all of them in line take GCC six times as long to compile.
template <class I, int vecs, class T, class Step>
inline void column_of_tiles(int64_t m, Factors<T, Step> f, Target<T> to, int64_t cols) {
  constexpr int most = vecs > I::tile_vectors ? I::tile_rows * I::tile_vectors / vecs : I::tile_rows;
  const auto run = [&]<int rows>(std::integral_constant<int, rows>) {
    if constexpr (rows <= most) {
      // Number by number: a structure would be copied through memory, at the price of a short tile.
      I::run([k = f.k, a = f.a, a_row = f.a_row, a_col = f.a_col, b = f.b, b_row = f.b_row, b_panel = f.b_panel, to,
              cols] {
        tile<I, rows, vecs>(Factors<T, Step>{k, a, a_row, a_col, b, b_row, b_panel}, to, cols);
      });
      if constexpr (std::is_same_v<Step, Gathered>)
        f.a_row.row += rows;
      else
        f.a += rows * f.a_row;
      to.c += rows * to.ldc;
      m -= rows;
    }
  };
  while (m >= 2 * most || m == most) run(std::integral_constant<int, most>{});
  while (m > 0) {
    const int64_t rows = m > most ? (m + 1) / 2 : m;
    switch (rows) {
      case 8: run(std::integral_constant<int, 8>{}); break;
      case 7: run(std::integral_constant<int, 7>{}); break;
      case 6: run(std::integral_constant<int, 6>{}); break;
      case 5: run(std::integral_constant<int, 5>{}); break;
      case 4: run(std::integral_constant<int, 4>{}); break;
      case 3: run(std::integral_constant<int, 3>{}); break;
      case 2: run(std::integral_constant<int, 2>{}); break;
      case 1: run(std::integral_constant<int, 1>{}); break;
    }
  }
}

/// The first `cols` columns of C from one panel of B.
template <class I, class T, class Step>
inline void panel_of_tiles(int64_t m, const Factors<T, Step>& f, const Target<T>& to, int64_t cols) {
  constexpr int n = lanes<I, T>;
  if constexpr (I::tile_vectors == 4)
    if (cols > 2 * n) return column_of_tiles<I, 4>(m, f, to, cols);
  if (cols > n) return column_of_tiles<I, 2>(m, f, to, cols);
  column_of_tiles<I, 1>(m, f, to, cols);
}

/// C[rows, cols] from rows of A and rows of B, both along k; rows * cols <= lanes.
template <class I, int rows, int cols, class T>
inline void dot_tile(int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb, const Target<T>& to) {
  constexpr int n = lanes<I, T>;
  using V = Vector<I, T>;
  V sum[n] = {};
  int64_t p = 0;
  for (; p + n <= k; p += n) {
    V av[rows];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) av[i] = load<V>(a + i * lda + p);
#pragma GCC unroll 16
    for (int j = 0; j < cols; ++j) {
      const V bv = load<V>(b + j * ldb + p);
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) sum[i * cols + j] += av[i] * bv;
    }
  }
  T result[n];
  store(result, sums_of_vectors(sum));
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; ++j) {
      T total = result[i * cols + j];
      for (int64_t q = p; q < k; ++q) total += a[i * lda + q] * b[j * ldb + q];
      T& c = to.c[i * to.ldc + j];
      c = to.alpha * total + (to.beta == T(0) ? T(0) : to.beta * c);
    }
  }
}

}  // namespace tapegrad::kernels
