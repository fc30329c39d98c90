// Loops over views: a contiguous copy of one, and elementwise functions of several that broadcast.
//
// A view is a rank, sizes and strides counted in elements; the stride of a broadcast dimension is 0.
// Dimensions that lie in memory like one are first merged into one: a contiguous tensor of any rank becomes a
// single loop, a bias added to [N, T, D] becomes [N T, D]. What is left is an odometer over the outer
// dimensions and a plain loop over the last.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/loops/map.h"

namespace tapegrad::kernels {

inline constexpr int max_rank = 8;

/// An input of an elementwise function: where it begins and a stride for each dimension of the output.
template <class T>
struct View {
  const T* data;
  const int64_t* strides;
};

namespace detail {

/// Loops over K views of the same sizes, as few as possible: 1 <= rank.
template <size_t K>
struct Loops {
  int rank = 0;
  int64_t size[max_rank] = {};
  int64_t stride[K][max_rank] = {};

  int64_t inner() const { return size[rank - 1]; }
  int64_t inner_stride(size_t k) const { return stride[k][rank - 1]; }
};

template <size_t K>
inline Loops<K> collapse(int rank, const int64_t* sizes, const std::array<const int64_t*, K>& strides) {
  Loops<K> loops;
  for (int d = 0; d < rank; ++d) {
    if (sizes[d] == 1) continue;
    const int last = loops.rank - 1;
    bool merge = last >= 0;
    for (size_t k = 0; merge && k < K; ++k) merge = loops.stride[k][last] == sizes[d] * strides[k][d];
    const int to = merge ? last : loops.rank++;
    loops.size[to] = merge ? loops.size[to] * sizes[d] : sizes[d];
    for (size_t k = 0; k < K; ++k) loops.stride[k][to] = strides[k][d];
  }
  if (loops.rank == 0) {
    loops.size[loops.rank++] = 1;
    for (size_t k = 0; k < K; ++k) loops.stride[k][0] = 1;
  }
  return loops;
}

/// body(offsets, i): the offset of each view at every index of all dimensions but the last `inner_dims`, in
/// order.
template <size_t K, class Body>
inline void for_each_outer(const Loops<K>& loops, int inner_dims, const Body& body) {
  const int outer = loops.rank - inner_dims;
  int64_t count = 1, index[max_rank] = {};
  for (int d = 0; d < loops.rank; ++d) count *= d < outer || loops.size[d] == 0 ? loops.size[d] : 1;
  std::array<int64_t, K> offset{};
  for (int64_t i = 0; i < count; ++i) {
    body(offset, i);
    for (int d = outer - 1; d >= 0; --d) {
      for (size_t k = 0; k < K; ++k) offset[k] += loops.stride[k][d];
      if (++index[d] < loops.size[d]) break;
      index[d] = 0;
      for (size_t k = 0; k < K; ++k) offset[k] -= loops.stride[k][d] * loops.size[d];
    }
  }
}

/// y[r * columns + c] = x[r + c * stride]: tiles keep the cache lines of both sides in use until all is
/// copied.
template <class T>
inline void transpose(int64_t rows, int64_t columns, const T* x, int64_t stride, T* y) {
  constexpr int64_t tile = 16;
  for (int64_t r0 = 0; r0 < rows; r0 += tile) {
    const int64_t r1 = r0 + tile < rows ? r0 + tile : rows;
    for (int64_t c0 = 0; c0 < columns; c0 += tile) {
      const int64_t c1 = c0 + tile < columns ? c0 + tile : columns;
      for (int64_t r = r0; r < r1; ++r) {
        for (int64_t c = c0; c < c1; ++c) y[r * columns + c] = x[r + c * stride];
      }
    }
  }
}

}  // namespace detail

/// y, contiguous, = the view (x, sizes, strides); rank <= 8.
template <class T>
void copy_strided(int rank, const int64_t* sizes, const int64_t* strides, const T* x, T* y) {
  const auto loops = detail::collapse<1>(rank, sizes, {strides});
  const int64_t n = loops.inner(), stride = loops.inner_stride(0);
  if (stride == 1) {
    detail::for_each_outer(loops, 1, [&](const auto& offset, int64_t i) {
      if (n > 0) std::memcpy(y + i * n, x + offset[0], n * sizeof(T));
    });
  } else if (loops.rank >= 2 && loops.stride[0][loops.rank - 2] == 1) {
    const int64_t rows = loops.size[loops.rank - 2];
    detail::for_each_outer(loops, 2, [&](const auto& offset, int64_t i) {
      detail::transpose(rows, n, x + offset[0], stride, y + i * rows * n);
    });
  } else {
    detail::for_each_outer(loops, 1, [&](const auto& offset, int64_t i) {
      for (int64_t j = 0; j < n; ++j) y[i * n + j] = x[offset[0] + j * stride];
    });
  }
}

/// The reverse: the view (y, sizes, strides), which must not overlap itself, = x, contiguous.
template <class T>
void scatter_strided(int rank, const int64_t* sizes, const int64_t* strides, const T* x, T* y) {
  const auto loops = detail::collapse<1>(rank, sizes, {strides});
  const int64_t n = loops.inner(), stride = loops.inner_stride(0);
  detail::for_each_outer(loops, 1, [&](const auto& offset, int64_t i) {
    T* to = y + offset[0];
    if (stride == 1) {
      std::copy_n(x + i * n, n, to);
    } else {
      for (int64_t j = 0; j < n; ++j) to[j * stride] = x[i * n + j];
    }
  });
}

/// y = f(a, b, c), y contiguous with the given sizes; a stride of 0 broadcasts.
template <class A, class B, class C, class U, class F>
void map3_strided(int rank, const int64_t* sizes, View<A> a, View<B> b, View<C> c, U* y, F f) {
  const auto loops = detail::collapse<3>(rank, sizes, {a.strides, b.strides, c.strides});
  const int64_t n = loops.inner();
  detail::for_each_outer(loops, 1, [&](const auto& offset, int64_t i) {
    map3(n, a.data + offset[0], loops.inner_stride(0), b.data + offset[1], loops.inner_stride(1), c.data + offset[2],
         loops.inner_stride(2), y + i * n, f);
  });
}

}  // namespace tapegrad::kernels
