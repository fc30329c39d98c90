// The product with a packed B. A panel is [k, panel_width], so the inner loop reads it from its first number
// to its last. Where k is large a panel is taken in blocks that stay in the first-level cache while all rows
// of A pass.
#include <algorithm>

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/tile.h"
#include "system/parallel.h"

namespace tapegrad::kernels {

namespace {

// Rows of B whose panel is at most 32 KiB.
constexpr int64_t k_block = 256;

// A chunk for another thread is worth its start from about 10 microseconds on. It is made of columns, as many as
// there are in a whole number of panels on every CPU.
constexpr int64_t chunk_flops = 2'000'000, chunk_columns = 32;

template <class I, class T>
inline void product(int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* panels, T beta, T* c,
                    int64_t ldc) {
  constexpr int64_t width = panel_width<I, T>;
  int64_t j = 0;
  // Few rows: two panels at once keep as many sums going. Exact mode cuts k as it does for many.
  if (m <= I::tile_rows / 2 && (k <= k_block || !is_exact())) {
    for (; j + 2 * width <= n; j += 2 * width) {
      column_of_tiles<I, 2 * I::tile_vectors>(m, Factors<T>{k, a, lda, 1, panels + j * k, width, k * width},
                                              Target<T>{T(1), beta, c + j, ldc}, 2 * width);
    }
  }
  for (; j < n; j += width) {
    for (int64_t p = 0; p < k; p += k_block) {
      panel_of_tiles<I>(m, Factors<T>{std::min(k_block, k - p), a + p, lda, 1, panels + j * k + p * width, width, 0},
                        Target<T>{T(1), p == 0 ? beta : T(1), c + j, ldc}, std::min(width, n - j));
    }
  }
}

}  // namespace

template <class T>
int64_t packed_size(int64_t k, int64_t n) {
  return k * ((n + chunk_columns - 1) / chunk_columns * chunk_columns);
}

template <class T>
PackedB<T> pack_b(bool trans_b, int64_t k, int64_t n, const T* b, int64_t ldb, T* memory) {
  simd_of_product([=](auto isa) {
    using I = decltype(isa);
    constexpr int64_t width = panel_width<I, T>;
    for (int64_t j = 0; j < n; j += width) {
      const int64_t cols = std::min(width, n - j);
      if (trans_b) {
        pack_transposed<I>(k, cols, b + j * ldb, ldb, memory + j * k);
      } else {
        pack_rows<I>(k, cols, b + j, ldb, memory + j * k);
      }
    }
  });
  return {memory, k, n};
}

template <class T>
void gemm_packed(int64_t m, const T* a, int64_t lda, const PackedB<T>& b, std::type_identity_t<T> beta, T* c,
                 int64_t ldc) {
  const int64_t k = b.k, n = b.n;
  if (m <= 0 || n <= 0) return;
  if (k <= 0) return gemm<T>(false, false, m, n, 0, 1, a, lda, b.data, n, beta, c, ldc);
  const int64_t pieces = std::max<int64_t>(1, chunk_flops / (2 * m * k * chunk_columns));
  parallel_rows(n, pieces * chunk_columns, [=, panels = b.data](int64_t begin, int64_t end) {
    simd_of_product(
        [=](auto isa) { product<decltype(isa)>(m, end - begin, k, a, lda, panels + begin * k, beta, c + begin, ldc); });
  });
}

template int64_t packed_size<float>(int64_t, int64_t);
template int64_t packed_size<double>(int64_t, int64_t);
template PackedB<float> pack_b<float>(bool, int64_t, int64_t, const float*, int64_t, float*);
template PackedB<double> pack_b<double>(bool, int64_t, int64_t, const double*, int64_t, double*);
template void gemm_packed<float>(int64_t, const float*, int64_t, const PackedB<float>&, float, float*, int64_t);
template void gemm_packed<double>(int64_t, const double*, int64_t, const PackedB<double>&, double, double*, int64_t);

}  // namespace tapegrad::kernels
