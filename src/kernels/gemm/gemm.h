// Matrix products on raw pointers, row-major, float and double.
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>

namespace tapegrad::kernels {

/// BLAS counts in 32 bits: the caller checks every size and leading dimension.
inline bool fits_blas(int64_t size) { return size >= 0 && size <= std::numeric_limits<int32_t>::max(); }

/// C = alpha op(A) op(B) + beta C, where op(A) is [m, k], op(B) is [k, n] and C is [m, n].
///
/// A is stored [m, k], or [k, m] where trans_a; B is stored [k, n], or [n, k] where trans_b; rows are lda,
/// ldb, ldc apart. beta == 0 overwrites C, whatever it held; k == 0 only applies beta. NaN in A or B reaches
/// C (alpha == 0 excepted). The bits do not depend on the number of threads.
template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, std::type_identity_t<T> alpha, const T* a,
          int64_t lda, const T* b, int64_t ldb, std::type_identity_t<T> beta, T* c, int64_t ldc);

/// A matrix B [k, n] in the order in which the inner loop reads it: worth making where one B meets many A, as
/// the weights of a recurrent layer meet the state of every step.
template <class T>
struct PackedB {
  const T* data;
  int64_t k, n;
};

/// How many numbers pack_b writes.
template <class T>
int64_t packed_size(int64_t k, int64_t n);

/// Packs op(B) into `memory`, best aligned to 64 bytes. B is stored [k, n], or [n, k] where trans_b.
template <class T>
PackedB<T> pack_b(bool trans_b, int64_t k, int64_t n, const T* b, int64_t ldb, T* memory);

/// C = A B + beta C with A [m, k], rows lda apart; beta == 0 overwrites. The bits do not depend on the number
/// of threads.
template <class T>
void gemm_packed(int64_t m, const T* a, int64_t lda, const PackedB<T>& b, std::type_identity_t<T> beta, T* c,
                 int64_t ldc);

}  // namespace tapegrad::kernels
