// The tiles of the other products (tile.h) read A through the two tables and B in panels. Results and B come and go with
// the channel as the slow axis, while a tile has it as the fast one: both are turned in blocks that stay in the first-level
// cache.
#include "kernels/gemm/gathered.h"

#include "kernels/gemm/tile.h"

namespace tapegrad::kernels {

namespace {

constexpr int64_t k_block = 256;  // rows of a panel of B
constexpr int64_t i_block = 128;  // rows of C that are turned together

// The columns of a tile, up to whole vectors: the last panel of B is as wide as the others, and C has room.
template <class I, class T>
inline int64_t whole_vectors(int64_t cols) {
  return (cols + lanes<I, T> - 1) / lanes<I, T> * lanes<I, T>;
}

// pack_transposed() as a function of its own, which has the registers for itself.
template <class I, class T>
inline void turn(int64_t k, int64_t cols, const T* b, int64_t ldb, T* panel) {
  I::run([=] { pack_transposed<I>(k, cols, b, ldb, panel); });
}

template <class I, class T>
inline void turned_out(const T* c, int64_t rows, int64_t cols, const T* bias, T* y, int64_t plane, const int64_t* at) {
  constexpr int64_t width = panel_width<I, T>;
  alignas(64) T turned[width * width];
  for (int64_t i = 0; i < rows; i += width) {
    const int64_t n = std::min(width, rows - i);
    turn<I>(cols, n, c + i * width, width, turned);
    for (int64_t j = 0; j < cols; ++j) {
      const T* from = turned + j * width;
      const T shift = bias ? bias[j] : T(0);
      T* to = y + j * plane;
      if (at) {
        for (int64_t q = 0; q < n; ++q) to[at[i + q]] = from[q] + shift;
      } else {
        for (int64_t q = 0; q < n; ++q) to[i + q] = from[q] + shift;
      }
    }
  }
}

// The columns of a tile of dots; with the rows there are as many sums as a vector has lanes.
template <class I, class T>
constexpr int dot_columns = std::min(4, lanes<I, T>);

// C[rows, cols] += sums over all pixels, vector by vector; A and B are both read along the runs. Where fewer rows or columns are
// left, the last is taken again and not stored.
template <class I, class T>
inline void dots_of_runs(const Gather& g, const Runs& runs, const T* a, int64_t n, const T* b, int64_t ldb, T* c,
                         int64_t ldc) {
  constexpr int lane = lanes<I, T>, cols = dot_columns<I, T>, rows = lane / cols;
  using V = Vector<I, T>;
  using Bits = Vector<I, std::conditional_t<sizeof(T) == 4, int32_t, int64_t>>;
  const auto masked = [](V v, Bits mask) { return reinterpret_cast<V>(reinterpret_cast<Bits>(v) & mask); };
  int64_t row[rows], col[cols];
  for (int i = 0; i < rows; ++i) row[i] = g.row[std::min<int64_t>(i, g.rows - 1)];
  for (int j = 0; j < cols; ++j) col[j] = std::min<int64_t>(j, n - 1) * ldb;
  const int64_t rest = runs.width % lane;  // of a run: its last vector, without what the one before had
  alignas(64) decltype(Bits{}[0] + 0) seen[2 * lane] = {};
  for (int k = 0; k < lane; ++k) seen[lane + k] = -1;
  const Bits mask = load<Bits>(seen + rest);
  V sum[lane] = {};
  const auto step = [&](const T* from, const T* dy, auto kept) {
    V av[rows];
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) av[i] = kept(load<V>(from + row[i]));
#pragma GCC unroll 16
    for (int j = 0; j < cols; ++j) {
      const V bv = kept(load<V>(dy + col[j]));
#pragma GCC unroll 16
      for (int i = 0; i < rows; ++i) sum[i * cols + j] += av[i] * bv;
    }
  };
  for (int64_t r = 0; r < runs.count; ++r) {
    const T *from = a + g.col[r * runs.width], *dy = b + r * runs.width;
    for (int64_t x = 0; x + lane <= runs.width; x += lane) step(from + x, dy + x, [](V v) { return v; });
    if (rest == 0) continue;
    const int64_t last = runs.width - lane;
    step(from + last, dy + last, [=](V v) { return masked(v, mask); });
  }
  alignas(64) T total[lane];
  store(total, sums_of_vectors(sum));
  for (int64_t i = 0; i < std::min<int64_t>(rows, g.rows); ++i) {
    for (int64_t j = 0; j < std::min<int64_t>(cols, n); ++j) c[i * ldc + j] += total[i * cols + j];
  }
}

}  // namespace

template <class T>
void gemm_gathered(const Gather& gather, const T* a, const PackedB<T>& b, const T* bias, T* y, int64_t plane,
                   const int64_t* at) {
  simd_of_product([=, g = gather](auto isa) {
    using I = decltype(isa);
    constexpr int64_t width = panel_width<I, T>;
    alignas(64) T c[i_block * width];
    for (int64_t i = 0; i < g.rows; i += i_block) {
      const int64_t rows = std::min(i_block, g.rows - i);
      for (int64_t j = 0; j < b.n; j += width) {
        const int64_t cols = std::min(width, b.n - j);
        for (int64_t p = 0; p == 0 || p < g.cols; p += k_block) {
          const T* panel = b.data + j * g.cols + p * width;
          const Gathered rows_of_a{g.row + i, g.col + p};
          panel_of_tiles<I>(rows, Factors<T, Gathered>{std::min(k_block, g.cols - p), a, rows_of_a, 0, panel, width, 0},
                            Target<T>{T(1), p == 0 ? T(0) : T(1), c, width}, whole_vectors<I, T>(cols));
        }
        turned_out<I>(c, rows, cols, bias ? bias + j : nullptr, y + j * plane + (at ? 0 : i), plane,
                      at ? at + i : nullptr);
      }
    }
  });
}

template <class T>
bool prefers_pixels(const Runs& runs, int64_t n) {
  bool prefers = false;
  simd_of_product([&](auto isa) {
    using I = decltype(isa);
    constexpr int64_t width = panel_width<I, T>, one = lanes<I, T>;
    const int64_t x = runs.width >= width ? width : one;  // pixels of a tile
    // Numbers that are computed for one that is wanted. A tile of one vector has two thirds of the speed of others.
    const auto cost = [](int64_t size, int64_t step, bool is_one) {
      return double((size + step - 1) / step * step) / double(size) * (is_one ? 1.5 : 1);
    };
    prefers = runs.step == 1 && runs.to_step == 1 && runs.width >= one && n <= 2 * width &&
              cost(runs.width, x, x == one) <= cost(n, one, n <= one);
  });
  return prefers;
}

template <class T>
void gemm_pixels(const Gather& gather, const Runs& runs, const T* a, int64_t n, const T* b, const T* bias, T* y,
                 int64_t plane, const int64_t* at) {
  simd_of_product([=, g = gather](auto isa) {
    using I = decltype(isa);
    const auto tiles = [&](auto vecs) {
      constexpr int64_t width = vecs * lanes<I, T>;
      for (int64_t r = 0; r < runs.count; ++r) {
        for (int64_t x = 0; x < runs.width; x += width) {
          const int64_t i = r * runs.width + std::min(x, runs.width - width);  // the last two of a run may overlap
          T* to = y + (at ? at[i] : i);
          for (int64_t p = 0; p == 0 || p < g.cols; p += k_block)
            column_of_tiles<I, vecs>(
                n, Factors<T, GatheredB>{std::min(k_block, g.cols - p), b + p * n, {g.col + p}, n, a + g.row[i], 0, 0},
                Target<T>{T(1), p == 0 ? T(0) : T(1), to, plane}, width);
          for (int64_t j = 0; bias && j < n; ++j) {
            for (int64_t q = 0; q < width; ++q) to[j * plane + q] += bias[j];
          }
        }
      }
    };
    if (runs.width >= panel_width<I, T>)
      tiles(std::integral_constant<int, I::tile_vectors>{});
    else
      tiles(std::integral_constant<int, 1>{});
  });
}

template <class T>
void gemm_gathered_add(const Gather& gather, const Runs& runs, const T* a, int64_t n, const T* b, int64_t ldb, T* c,
                       int64_t ldc) {
  simd_of_product([=, g = gather](auto isa) {
    using I = decltype(isa);
    constexpr int64_t width = panel_width<I, T>, one = lanes<I, T>;
    // A tile of one vector loads a number for each multiplication. Exact mode has the same chain everywhere.
    if (n <= one && runs.step == 1 && runs.width >= one && !is_exact()) {
      constexpr int64_t cols = dot_columns<I, T>;
      for (int64_t j = 0; j < n; j += cols) {
        for (int64_t i = 0; i < g.rows; i += one / cols)
          dots_of_runs<I>(Gather{g.rows - i, g.cols, g.row + i, g.col}, runs, a, n - j, b + j * ldb, ldb,
                          c + i * ldc + j, ldc);
      }
      return;
    }
    alignas(64) T panel[k_block * width];
    for (int64_t p = 0; p < g.cols; p += k_block) {
      const int64_t k = std::min(k_block, g.cols - p);
      for (int64_t j = 0; j < n; j += width) {
        const int64_t cols = std::min(width, n - j);
        turn<I>(k, cols, b + j * ldb + p, ldb, panel);
        panel_of_tiles<I>(g.rows, Factors<T, Gathered>{k, a, {g.row, g.col + p}, 0, panel, width, 0},
                          Target<T>{T(1), T(1), c + j, ldc}, whole_vectors<I, T>(cols));
      }
    }
  });
}

#define TAPEGRAD_INSTANTIATE(T)                                                                                   \
  template void gemm_gathered(const Gather&, const T*, const PackedB<T>&, const T*, T*, int64_t, const int64_t*); \
  template bool prefers_pixels<T>(const Runs&, int64_t);                                                          \
  template void gemm_pixels(const Gather&, const Runs&, const T*, int64_t, const T*, const T*, T*, int64_t,       \
                            const int64_t*);                                                                      \
  template void gemm_gathered_add(const Gather&, const Runs&, const T*, int64_t, const T*, int64_t, T*, int64_t)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
