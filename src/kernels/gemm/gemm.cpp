// A product takes the path that was measured to be the fastest for its shape, and a large one is cut into
// parts for the threads. Both follow from the shape alone, so the same product has the same bits on any
// number of threads.
#include "kernels/gemm/gemm.h"

#include <algorithm>

#include "kernels/gemm/product.h"
#include "kernels/vector/simd.h"
#include "system/parallel.h"

namespace tapegrad::kernels {

namespace {

template <class T>
using Path = void (*)(const GemmArgs<T>&);

template <class T>
double work_of(const GemmArgs<T>& g) {
  return static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
}

// Exact mode: by the shape alone, and each element is one chain over k.
template <class T>
Path<T> exact_path(const GemmArgs<T>& g) {
  if (g.trans_a) return g.trans_b || g.m * g.n > 1 << 12 ? gemm_panels<T> : gemm_rows<T>;
  return !g.trans_b && (g.m < 8 || (g.m <= 16 && g.n * g.k <= 1 << 17)) ? gemm_rows<T> : gemm_panels<T>;
}

// Without BLAS, and where it was measured to be slower. bench/products prints what the numbers are taken from.
template <class T>
Path<T> fastest_of_ours(const GemmArgs<T>& g) {
  const bool few_rows = g.m <= 2 || (g.m <= 8 && g.k >= 512);
  return !g.trans_a && g.trans_b && few_rows ? gemm_dots<T> : exact_path(g);
}

#if defined(TAPEGRAD_BLAS)
// On a Xeon with AVX-512 against OpenBLAS 0.3.21. It has kernels without packing for tiny products, and for huge
// ones it hides its packing; between the two lie the products of training:
//   y = x W^T of  32 x  512 x 128: panels 151 GFLOP/s, OpenBLAS  92
//   y = x W^T of   4 x 1000 x 784: dots    66,         OpenBLAS  24  (memory-bound: W is read once)
//   dx = dy W of   4 x 784 x 1000: rows    60,         OpenBLAS  32
//   dW = dy^T x, 1000 x 784 x   4: rows    45,         OpenBLAS  29
//   dW = dy^T x,  512 x 128 x 2048: panels 155,        OpenBLAS 148
//   dW = dy^T x,   10 x 128 x 2048: rows   75,         OpenBLAS  42
Path<float> fastest_avx512(const GemmArgs<float>& g) {
  const int64_t m = g.m, n = g.n, k = g.k;
  const double work = work_of(g);
  const bool tiny = work <= 1 << 17, small = work <= 1 << 19;
  if (g.trans_a && g.trans_b) return gemm_blas<float>;
  if (g.trans_a) {
    if (small || (k > 512 && m * n > 1 << 19)) return gemm_blas<float>;
    return k < 32 || n <= 32 || m * n <= 1 << 12 ? gemm_rows<float> : gemm_panels<float>;
  }
  if (g.trans_b) {
    if (m >= 16 || (m >= 8 && k < 256)) return n > 16 || m > 32 ? gemm_panels<float> : gemm_blas<float>;
    return n <= 128 && small ? gemm_blas<float> : gemm_dots<float>;
  }
  if (tiny && m < 16) return gemm_blas<float>;
  return m <= 8 || (n >= 32 && n * k <= 1 << 14) ? gemm_rows<float> : gemm_panels<float>;
}

// On a Zen 4 with TAPEGRAD_ISA=avx2 against OpenBLAS's Haswell kernels; large products of both reach 110 GFLOP/s:
//   y = x W^T of  32 x  128 x 128: panels 102 GFLOP/s, OpenBLAS  86
//   y = x W^T of   1 x 1000 x 784: dots    39,         OpenBLAS   7
//   dx = dy W of   4 x 784 x 1000: rows    70,         OpenBLAS  50
//   dW = dy^T x,   10 x 64 x  128: rows    99,         OpenBLAS  51
//   dW = dy^T x,   10 x 784 x 1024: rows   71,         OpenBLAS  45 (this and the next on a Xeon with TAPEGRAD_ISA=avx2)
//   dW = dy^T x, 1000 x 784 x  128: panels 117,        OpenBLAS 112
// Where A is transposed OpenBLAS is ahead between the two: more than 32 rows and columns, but k above 512 or less than 256 of one.
template <class T>
Path<T> fastest_avx2(const GemmArgs<T>& g) {
  if (!g.trans_a) return fastest_of_ours(g);
  if (g.k < 4 || (g.trans_b && work_of(g) > 1 << 17)) return gemm_blas<T>;
  if (!g.trans_b && (g.m <= 32 || g.n <= 32)) return gemm_rows<T>;
  if (g.m * g.n <= 1 << 12 || (!g.trans_b && g.k <= 512 && g.m >= 256 && g.n >= 256)) return exact_path(g);
  return gemm_blas<T>;
}

template <class T>
Path<T> fastest(const GemmArgs<T>& g) {
  const bool huge = work_of(g) > 1 << 29;
  if (!huge && isa() == Isa::avx2) return fastest_avx2(g);
  if constexpr (sizeof(T) == sizeof(float))
    if (!huge && isa() == Isa::avx512) return fastest_avx512(g);
  return gemm_blas<T>;
}

template <class T>
bool is_blas(Path<T> path) {
  return path == gemm_blas<T>;
}
#else
template <class T>
Path<T> fastest(const GemmArgs<T>& g) {
  return fastest_of_ours(g);
}

template <class T>
bool is_blas(Path<T>) {
  return false;
}
#endif

// A part takes about 10 microseconds or more, and there are at most 8: each packs the other factor for
// itself. Cuts are where no tile is cut; OpenBLAS packs more, so its parts are wider (1024^3 in parts of 64
// columns took half as long again as in one).
constexpr double part_flops = 2e6;
constexpr int64_t most_parts = 8;

template <class T>
void run_in_parts(const GemmArgs<T>& g, Path<T> path) {
  const double flops = 2 * work_of(g);
  if (flops < 2 * part_flops) return path(g);
  const auto parts = static_cast<int64_t>(std::min<double>(flops / part_flops, most_parts));
  const bool by_rows = g.trans_a ? 2 * g.m >= g.n : g.m > g.n;  // packing A^T again costs more than B
  const int64_t size = by_rows ? g.m : g.n;
  const int64_t cut = is_blas<T>(path) ? 256 : 64;
  const int64_t grain = ((size + parts - 1) / parts + cut - 1) / cut * cut;
  parallel_rows(size, grain, [&](int64_t begin, int64_t end) {
    GemmArgs<T> part = g;
    if (by_rows) {
      part.m = end - begin;
      part.a += g.trans_a ? begin : begin * g.lda;
      part.c += begin * g.ldc;
    } else {
      part.n = end - begin;
      part.b += g.trans_b ? begin * g.ldb : begin;
      part.c += begin;
    }
    path(part);
  });
}

template <class T>
void scale(int64_t m, int64_t n, T beta, T* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
  }
}

}  // namespace

template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, std::type_identity_t<T> alpha, const T* a,
          int64_t lda, const T* b, int64_t ldb, std::type_identity_t<T> beta, T* c, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (k <= 0 || alpha == T(0)) return scale(m, n, beta, c, ldc);
  const GemmArgs<T> g{trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc};
  run_in_parts(g, is_exact() ? exact_path(g) : fastest(g));
}

template void gemm<float>(bool, bool, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                          float, float*, int64_t);
template void gemm<double>(bool, bool, int64_t, int64_t, int64_t, double, const double*, int64_t, const double*,
                           int64_t, double, double*, int64_t);

}  // namespace tapegrad::kernels
