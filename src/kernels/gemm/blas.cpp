// OpenBLAS, which is left out of a build with TAPEGRAD_BLAS=OFF.
#include <cblas.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/gemm/product.h"
#include "kernels/vector/simd.h"

namespace tapegrad::kernels {

namespace {

void cblas(CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, int m, int n, int k, float alpha, const float* a, int lda,
           const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, trans_a, trans_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void cblas(CBLAS_TRANSPOSE trans_a, CBLAS_TRANSPOSE trans_b, int m, int n, int k, double alpha, const double* a,
           int lda, const double* b, int ldb, double beta, double* c, int ldc) {
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

// An OpenBLAS that is older than the CPU does not know its model, and takes kernels of 2004: 12 GFLOP/s where 140 are to
// be had (0.3.21 on a Xeon of 2023). So it is told which to take, unless the environment does.
struct BlasKernels {
  static constexpr const char* kVariable = "OPENBLAS_CORETYPE";
  static inline bool told = false;
  static void tell() {
#if defined(TAPEGRAD_X86)
    __builtin_cpu_init();
    if (isa() == Isa::baseline || std::getenv(kVariable)) return;
    told = setenv(kVariable, isa() == Isa::avx512 ? "SkylakeX" : "Haswell", 0) == 0;
#endif
  }
};
#if defined(__GNUC__) && defined(__linux__)
[[gnu::constructor(101)]] void start_no_blas_threads() {
  if (const char* value = std::getenv(BlasThreads::kVariable)) {
    BlasThreads::was_set = true;
    std::strncpy(BlasThreads::wanted, value, sizeof BlasThreads::wanted - 1);
  }
  setenv(BlasThreads::kVariable, "1", 1);
  BlasKernels::tell();
}
void restore_environment() {
  if (BlasKernels::told) unsetenv(BlasKernels::kVariable);
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

}  // namespace

template <class T>
void gemm_blas(const GemmArgs<T>& g) {
  keep_blas_single_threaded();
  const auto size = [](int64_t value) { return static_cast<int>(std::max<int64_t>(value, 1)); };
  cblas(g.trans_a ? CblasTrans : CblasNoTrans, g.trans_b ? CblasTrans : CblasNoTrans, size(g.m), size(g.n), size(g.k),
        g.alpha, g.a, size(g.lda), g.b, size(g.ldb), g.beta, g.c, size(g.ldc));
}

template void gemm_blas(const GemmArgs<float>&);
template void gemm_blas(const GemmArgs<double>&);

}  // namespace tapegrad::kernels
