// Products of our own, for CPUs with AVX-512 and for the shapes on which they are faster than OpenBLAS;
// gemm() chooses.
#pragma once
#include <cstdint>

namespace tapegrad::kernels {

/// The operands of C = alpha op(A) op(B) + beta C, as gemm() takes them.
template <class T>
struct GemmArgs {
  bool trans_a, trans_b;
  int64_t m, n, k;
  T alpha;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T beta;
  T* c;
  int64_t ldc;
};

/// B is packed panel by panel, just before all rows of A pass over the panel.
void gemm_panels(const GemmArgs<float>& g);

/// B [k, n] is read in place, some rows of it at a time: few rows of A, or few of B.
void gemm_rows(const GemmArgs<float>& g);

/// A [m, k] and B [n, k] are read in place along k: few rows of A.
void gemm_dots(const GemmArgs<float>& g);

}  // namespace tapegrad::kernels
