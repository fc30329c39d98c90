// The inner tiles of the matrix products, to be called inside simd().
//
//   tile:     C[rows, 16 vecs] = alpha A B + beta C, one row of B and `rows` numbers of A at a time. The
//             sums stay in registers: 8 rows by 2 vectors of 16 are 16 independent chains, twice what hides
//             the latency of a multiply-add on two ports, and each vector of B serves 8 rows.
//   dot_tile: C[rows, cols] for B stored [n, k]: A and B are both read along k, with no packing, and each
//             sum is a vector until the end.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/vector/simd.h"

namespace tapegrad::kernels {

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using type = f32x16;
};
template <>
struct VectorOf<double> {
  using type = f64x8;
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int lanes = 64 / sizeof(T);
template <class T>
constexpr int panel_width = 2 * lanes<T>;

/// Where a tile goes: C = alpha sum + beta C, the first `cols` columns of it.
template <class T>
struct Target {
  T alpha, beta;
  T* c;
  int64_t ldc;
};

template <class T>
inline Vector<T> blend(Vector<T> sum, const T* c, T alpha, T beta) {
  if (alpha != T(1)) sum *= alpha;
  if (beta == T(0)) return sum;
  return beta == T(1) ? sum + load<Vector<T>>(c) : sum + load<Vector<T>>(c) * beta;
}

/// A is read at a[i * a_row + p * a_col]; B in panels two vectors wide, row p of panel q at b[q * b_panel + p
/// * b_row]. Only the first `cols` columns are stored; B has all of them.
template <int rows, int vecs, class T>
inline void tile(int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t b_row,
                 int64_t b_panel, const Target<T>& to, int64_t cols) {
  using V = Vector<T>;
  V sum[rows][vecs] = {};
  for (int64_t p = 0; p < k; ++p, a += a_col, b += b_row) {
    V bv[vecs];
#pragma GCC unroll 8
    for (int v = 0; v < vecs; ++v) bv[v] = load<V>(b + (v / 2) * b_panel + (v % 2) * lanes<T>);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const T x = a[i * a_row];
#pragma GCC unroll 8
      for (int v = 0; v < vecs; ++v) sum[i][v] += x * bv[v];
    }
  }
  if (cols == vecs * lanes<T>) {
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < vecs; ++v) {
        T* c = to.c + i * to.ldc + v * lanes<T>;
        store(c, blend(sum[i][v], c, to.alpha, to.beta));
      }
    }
  } else {
    T row[vecs * lanes<T>];
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < vecs; ++v) store(row + v * lanes<T>, sum[i][v]);
      T* c = to.c + i * to.ldc;
      for (int64_t j = 0; j < cols; ++j) c[j] = to.alpha * row[j] + (to.beta == T(0) ? T(0) : to.beta * c[j]);
    }
  }
}

// One step of a transposition: of two rows `distance` apart, the halves that belong above and below the
// diagonal.
template <int distance, class V, size_t... lane>
inline V upper(V a, V b, std::index_sequence<lane...>) {
  constexpr size_t d = distance, n = sizeof...(lane);
  return __builtin_shufflevector(a, b, (lane & d ? n + lane - d : lane)...);
}
template <int distance, class V, size_t... lane>
inline V lower(V a, V b, std::index_sequence<lane...>) {
  constexpr size_t d = distance, n = sizeof...(lane);
  return __builtin_shufflevector(a, b, (lane & d ? n + lane : lane + d)...);
}

template <int distance, class T>
inline void transpose_steps(Vector<T>* row) {
  constexpr auto all = std::make_index_sequence<lanes<T>>{};
#pragma GCC unroll 16
  for (int i = 0; i < lanes<T>; ++i) {
    if (i & distance) continue;
    const Vector<T> a = row[i], b = row[i + distance];
    row[i] = upper<distance>(a, b, all);
    row[i + distance] = lower<distance>(a, b, all);
  }
  if constexpr (distance > 1) transpose_steps<distance / 2, T>(row);
}

/// Adds up each of `lanes` vectors: lane i of the result is the sum of row[i].
template <int distance, class T>
inline Vector<T> sum_steps(Vector<T>* row) {
  constexpr auto all = std::make_index_sequence<lanes<T>>{};
#pragma GCC unroll 16
  for (int i = 0; i < distance; ++i) {
    row[i] =
        upper<distance>(row[i], row[i + distance], all) + lower<distance>(row[i], row[i + distance], all);
  }
  if constexpr (distance > 1) return sum_steps<distance / 2, T>(row);
  return row[0];
}

/// Copies n < 2 * lanes numbers in at most five moves.
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

/// panel[p, j] = b[j, p] for `cols` <= panel_width rows of B, the rest of the panel zero.
template <class T>
inline void pack_transposed(int64_t k, int64_t cols, const T* b, int64_t ldb, T* panel) {
  constexpr int n = lanes<T>;
  constexpr int64_t width = panel_width<T>;
  for (int64_t half = 0; half < width; half += n) {
    const int64_t valid = cols - half;
    int64_t p = 0;
    for (; p + n <= k; p += n) {
      Vector<T> row[n];
#pragma GCC unroll 16
      for (int j = 0; j < n; ++j)
        row[j] = j < valid ? load<Vector<T>>(b + (half + j) * ldb + p) : Vector<T>{};
      transpose_steps<n / 2, T>(row);
#pragma GCC unroll 16
      for (int j = 0; j < n; ++j) store(panel + (p + j) * width + half, row[j]);
    }
    for (; p < k; ++p) {
      for (int64_t j = 0; j < n; ++j)
        panel[p * width + half + j] = j < valid ? b[(half + j) * ldb + p] : T(0);
    }
  }
}

/// panel[p, j] = b[p, j] for `cols` <= panel_width columns of B, the rest of the panel zero.
template <class T>
inline void pack_rows(int64_t k, int64_t cols, const T* b, int64_t ldb, T* panel) {
  constexpr int64_t width = panel_width<T>;
  if (cols < width) std::memset(panel, 0, static_cast<size_t>(k * width) * sizeof(T));
  for (int64_t p = 0; p < k; ++p, b += ldb, panel += width) {
    if (cols == width) {
      store(panel, load<Vector<T>>(b));
      store(panel + lanes<T>, load<Vector<T>>(b + lanes<T>));
    } else {
      copy_few(b, panel, cols);
    }
  }
}

/// C[rows, cols] from rows of A and rows of B, both along k; rows * cols <= lanes.
template <int rows, int cols, class T>
inline void dot_tile(int64_t k, const T* a, int64_t lda, const T* b, int64_t ldb, const Target<T>& to) {
  constexpr int n = lanes<T>;
  using V = Vector<T>;
  V sum[n] = {};
  int64_t p = 0;
  for (; p + n <= k; p += n) {
    V av[rows];
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) av[i] = load<V>(a + i * lda + p);
#pragma GCC unroll 16
    for (int j = 0; j < cols; ++j) {
      const V bv = load<V>(b + j * ldb + p);
#pragma GCC unroll 8
      for (int i = 0; i < rows; ++i) sum[i * cols + j] += av[i] * bv;
    }
  }
  T result[n];
  store(result, sum_steps<n / 2, T>(sum));
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; ++j) {
      T total = result[i * cols + j];
      for (int64_t q = p; q < k; ++q) total += a[i * lda + q] * b[j * ldb + q];
      T& c = to.c[i * to.ldc + j];
      c = to.alpha * total + (to.beta == T(0) ? T(0) : to.beta * c);
    }
  }
}

/// Runs body, which is called only where isa() is avx512.
template <class F>
inline void simd_wide(F body) {
#if defined(TAPEGRAD_AVX512)
  run_avx512(body);
#else
  body();
#endif
}

/// The largest tile of a CPU: Wide for 32 registers of 64 bytes, Narrow for everything below. call() runs a
/// tile, for Wide by a function of its own: its sixty uses in line take GCC six times as long to compile.
struct Wide {
  static constexpr int rows = 8, vecs = 2;
  template <class F>
  static void call(F f) {
    simd_wide(f);
  }
};
struct Narrow {
  static constexpr int rows = 4, vecs = 1;
  template <class F>
  static void call(F f) {
    f();
  }
};

/// Runs body(Wide{}) or body(Narrow{}) with the vectors of this CPU; not by simd(), which would compile six
/// of them.
template <class F>
inline void simd_tiles(F body) {
#if defined(TAPEGRAD_AVX512)
  switch (isa()) {
    case Isa::avx512: return run_avx512([=] { body(Wide{}); });
    case Isa::avx2: return run_avx2([=] { body(Narrow{}); });
    case Isa::baseline: break;
  }
#endif
  body(Narrow{});
}

/// All m rows of A with `vecs` vectors of columns, in tiles of at most Shape::rows, fewer where vecs is
/// larger.
template <class Shape, int vecs, class T>
inline void column_of_tiles(int64_t m, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b,
                            int64_t b_row, int64_t b_panel, Target<T> to, int64_t cols) {
  constexpr int most = vecs > Shape::vecs ? Shape::rows * Shape::vecs / vecs : Shape::rows;
  const auto run = [&]<int rows>(std::integral_constant<int, rows>) {
    if constexpr (rows <= most)
      Shape::call([=] { tile<rows, vecs>(k, a, a_row, a_col, b, b_row, b_panel, to, cols); });
  };
  for (; m >= most; m -= most, a += most * a_row, to.c += most * to.ldc)
    run(std::integral_constant<int, most>{});
  switch (m) {
    case 7: return run(std::integral_constant<int, 7>{});
    case 6: return run(std::integral_constant<int, 6>{});
    case 5: return run(std::integral_constant<int, 5>{});
    case 4: return run(std::integral_constant<int, 4>{});
    case 3: return run(std::integral_constant<int, 3>{});
    case 2: return run(std::integral_constant<int, 2>{});
    case 1: return run(std::integral_constant<int, 1>{});
    default: return;
  }
}

/// The first `cols` columns of C from one panel of B.
template <class Shape, class T>
inline void panel_of_tiles(int64_t m, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* panel,
                           int64_t b_row, Target<T> to, int64_t cols) {
  constexpr int n = lanes<T>;
  if (Shape::vecs == 2 && cols > n) {
    return column_of_tiles<Shape, 2>(m, k, a, a_row, a_col, panel, b_row, 0, to, cols);
  }
  for (; cols > 0; cols -= n, panel += n, to.c += n) {
    column_of_tiles<Shape, 1>(m, k, a, a_row, a_col, panel, b_row, 0, to, cols < n ? cols : n);
  }
}

}  // namespace tapegrad::kernels
