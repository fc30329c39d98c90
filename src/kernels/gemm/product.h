// The ways to compute a product; gemm() takes the one that was measured to be the fastest for its shape.
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

/// Any product. B is packed panel by panel, just before all rows of A pass over the panel.
template <class T>
void gemm_panels(const GemmArgs<T>& g);

/// B [k, n] is read in place, some rows of it at a time: few rows of A, or few of B.
template <class T>
void gemm_rows(const GemmArgs<T>& g);

/// A [m, k] and B [n, k] are read in place along k: few rows of A.
template <class T>
void gemm_dots(const GemmArgs<T>& g);

#if defined(TAPEGRAD_BLAS)
/// OpenBLAS, any product, on one thread.
template <class T>
void gemm_blas(const GemmArgs<T>& g);
#endif

}  // namespace tapegrad::kernels
