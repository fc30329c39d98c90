// A product takes the path that was measured to be the fastest for its shape, and a large one is cut into
// parts for the threads. Both follow from the shape alone, so the same product has the same bits on any
// number of threads.
#include "kernels/gemm/gemm.h"

#include <cblas.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/gemm/gemm_own.h"
#include "kernels/vector/simd.h"
#include "system/parallel.h"

namespace tapegrad::kernels {

namespace {

void cblas(CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, int m, int n, int k, float alpha, const float* a,
           int lda, const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas(CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, int m, int n, int k, double alpha,
           const double* a, int lda, const double* b, int ldb, double beta, double* c, int ldc) {
  cblas_dgemm(CblasRowMajor, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// Threads are ours alone: a threaded OpenBLAS under parallel_for would start cores^2 of them. It starts its
// threads before main(), as many as the environment says, and a process with a second thread pays for atomic
// reference counts. Where it is linked in as an archive this constructor, having a priority, runs before
// OpenBLAS's and says one; the environment is put back at the first product.
struct BlasThreads {
  static constexpr const char* kVariable = "OPENBLAS_NUM_THREADS";
  static inline char wanted[32] = "";
  static inline bool was_set = false;
};
#if defined(__GNUC__) && defined(__linux__)
[[gnu::constructor(101)]] void start_no_blas_threads() {
  if (const char* value = std::getenv(BlasThreads::kVariable)) {
    BlasThreads::was_set = true;
    std::strncpy(BlasThreads::wanted, value, sizeof BlasThreads::wanted - 1);
  }
  setenv(BlasThreads::kVariable, "1", 1);
}
void restore_environment() {
  if (BlasThreads::was_set)
    setenv(BlasThreads::kVariable, BlasThreads::wanted, 1);
  else
    unsetenv(BlasThreads::kVariable);
}
#else
void restore_environment() {}
#endif

void keep_blas_single_threaded() {
  static const bool once = (restore_environment(), openblas_set_num_threads(1), true);
  static_cast<void>(once);
}

template <class T>
void gemm_blas(const GemmArgs<T>& g) {
  keep_blas_single_threaded();
  const auto size = [](int64_t value) { return static_cast<int>(std::max<int64_t>(value, 1)); };
  cblas(g.trans_a ? CblasTrans : CblasNoTrans, g.trans_b ? CblasTrans : CblasNoTrans, size(g.m), size(g.n),
        size(g.k), g.alpha, g.a, size(g.lda), g.b, size(g.ldb), g.beta, g.c, size(g.ldc));
}

template <class T>
using Path = void (*)(const GemmArgs<T>&);

// Measured on a Xeon with AVX-512 against OpenBLAS 0.3.21. It has kernels without packing for tiny products,
// and for huge ones it hides its packing; between the two lie the products of training:
//   y = x W^T of  32 x  512 x 128: panels 151 GFLOP/s, OpenBLAS  92
//   y = x W^T of   4 x 1000 x 784: dots    66,         OpenBLAS  24  (memory-bound: W is read once)
//   dx = dy W of   4 x 784 x 1000: rows    60,         OpenBLAS  32
//   dW = dy^T x, 1000 x 784 x   4: rows    45,         OpenBLAS  29
Path<float> fastest(const GemmArgs<float>& g) {
  const int64_t m = g.m, n = g.n, k = g.k;
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const bool tiny = work <= 1 << 17, small = work <= 1 << 19, huge = work > 1 << 29;
  if (isa() != Isa::avx512 || huge || (g.trans_a && g.trans_b)) return gemm_blas<float>;
  if (g.trans_a) {
    if (small || k > 512) return gemm_blas<float>;
    return k < 32 || n <= 32 ? gemm_rows : gemm_panels;
  }
  if (g.trans_b) {
    if (m >= 16 || (m >= 8 && k < 256)) return n > 16 || m > 32 ? gemm_panels : gemm_blas<float>;
    return n <= 128 && small ? gemm_blas<float> : gemm_dots;
  }
  if (tiny && m < 16) return gemm_blas<float>;
  return m <= 8 || (n >= 32 && n * k <= 1 << 14) ? gemm_rows : gemm_panels;
}

Path<double> fastest(const GemmArgs<double>&) {
  return gemm_blas<double>;
}

// A part takes about 10 microseconds or more, and there are at most 8: each packs the other factor for
// itself. Cuts are where no tile is cut; OpenBLAS packs more, so its parts are wider (1024^3 in parts of 64
// columns took half as long again as in one).
constexpr double part_flops = 2e6;
constexpr int64_t most_parts = 8;

template <class T>
void run_in_parts(const GemmArgs<T>& g, Path<T> path) {
  const double flops = 2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
  if (flops < 2 * part_flops) return path(g);
  const auto parts = static_cast<int64_t>(std::min<double>(flops / part_flops, most_parts));
  const bool by_rows = g.trans_a ? 2 * g.m >= g.n : g.m > g.n;  // packing A^T again costs more than B
  const int64_t size = by_rows ? g.m : g.n;
  const int64_t cut = path == gemm_blas<T> ? 256 : 64;
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
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, std::type_identity_t<T> alpha,
          const T* a, int64_t lda, const T* b, int64_t ldb, std::type_identity_t<T> beta, T* c, int64_t ldc) {
  if (m <= 0 || n <= 0) return;
  if (k <= 0 || alpha == T(0)) return scale(m, n, beta, c, ldc);
  const GemmArgs<T> g{trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc};
  run_in_parts(g, fastest(g));
}

template void gemm<float>(bool, bool, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*,
                          int64_t, float, float*, int64_t);
template void gemm<double>(bool, bool, int64_t, int64_t, int64_t, double, const double*, int64_t,
                           const double*, int64_t, double, double*, int64_t);

}  // namespace tapegrad::kernels
