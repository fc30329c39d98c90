// What convolution and pooling do besides products: convolutions with few channels, and the maxima of windows. Planes are
// single channels of single images, row after row.
#pragma once
#include "kernels/gemm/gathered.h"

namespace tapegrad::kernels {

/// Where planes begin, and the rows of one.
struct Planes {
  int64_t plane, row;
};

/// Copies `rows` rows of n numbers of each of so many planes.
template <class T>
void copy_planes(int64_t planes, int64_t rows, int64_t n, const T* from, Planes from_at, T* to, Planes to_at);

/// gemm_gathered() where B, [cols, n] and not packed, has so few columns that vectors are better made of pixels.
template <class T>
void conv_few(const Gather& gather, Runs runs, const T* a, int64_t n, const T* b, const T* bias, T* y, int64_t plane,
              const int64_t* at);

/// gemm_gathered_add() for few columns; the columns of A are the pixels.
template <class T>
void conv_few_add(const Gather& gather, Runs runs, const T* a, int64_t n, const T* b, int64_t ldb, T* c, int64_t ldc);

/// One axis of windows: window o sees in[o * stride - padding + t * dilation] for t < kernel, as far as that exists.
struct Window {
  int64_t in, out, kernel, stride, padding, dilation;
};

/// The largest number of each window of so many planes, and its place: how many pixels behind the begin of the window, of equals
/// the first, of NaN the last; -1 for a window that lies outside. A type must hold the places exactly.
template <class T>
void max_pool(int64_t planes, Window h, Window w, const T* x, T* y, T* place);

/// dx = dy at these places of a plane, and 0 elsewhere.
template <class T>
void max_pool_backward(Window h, Window w, const T* dy, const T* place, T* dx);

}  // namespace tapegrad::kernels
