// Products whose left factor is never made: its numbers stand in memory at the sum of two offsets. The matrix in which
// each row is the window of an image under the kernel of a convolution is of this kind.
#pragma once
#include "kernels/gemm/gemm.h"

namespace tapegrad::kernels {

/// The matrix A [rows, cols] whose element (i, p) is a[row[i] + col[p]].
struct Gather {
  int64_t rows, cols;
  const int64_t *row, *col;
};

/// The pixels of a Gather as rows of an image: `count` runs of `width` pixels, `step` apart in memory; in the result
/// `to_step`.
struct Runs {
  int64_t count, width, step, to_step;
};

/// y[j * plane + at[i]] = bias[j] + sum over p of A[i, p] B[p, j]. `bias` may be null, and `at`, for at[i] = i.
template <class T>
void gemm_gathered(const Gather& gather, const T* a, const PackedB<T>& b, const T* bias, T* y, int64_t plane,
                   const int64_t* at);

/// Whether gemm_pixels() is the faster one of the two.
template <class T>
bool prefers_pixels(const Runs& runs, int64_t n);

/// gemm_gathered() for few columns of B, [cols, n] and not packed, and rows of A that lie side by side in memory: vectors are
/// made of pixels, so that they are full and nothing has to be turned.
template <class T>
void gemm_pixels(const Gather& gather, const Runs& runs, const T* a, int64_t n, const T* b, const T* bias, T* y,
                 int64_t plane, const int64_t* at);

/// c[i * ldc + j] += sum over p of A[i, p] b[j * ldb + p] for n columns; the columns of A are the pixels. Rows of c have room for
/// whole panels: ldc is a multiple of 32, and what lies beyond n is not used.
template <class T>
void gemm_gathered_add(const Gather& gather, const Runs& runs, const T* a, int64_t n, const T* b, int64_t ldb, T* c,
                       int64_t ldc);

}  // namespace tapegrad::kernels
