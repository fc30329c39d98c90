// Elementwise operations on tensors of any shape: map(), map2(), map3() run one function over all elements
// with NumPy's broadcasting, and differentiable() makes a backward function out of one formula.
#pragma once
#include <tapegrad/ops.h>
#include <tapegrad/record.h>

#include "core/fail.h"
#include "core/parallel.h"
#include "kernels/map.h"
#include "kernels/strided.h"
#include "tensor/impl.h"

namespace tapegrad {

/// Elements from which an elementwise operation is split over the threads; below, waking one costs more than
/// it saves.
inline constexpr int64_t kElementwiseGrain = 32768;

/// y[i] = f(x[i]), in x's dtype, for floating x.
template <class F>
Tensor map(const char* op, const Tensor& x, F f) {
  const Tensor from = x.contiguous();
  Tensor y = detail::new_tensor(from.shape(), from.dtype());
  detail::dispatch_float(op, from.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    parallel_rows(y.numel(), kElementwiseGrain,
                  [=](int64_t begin, int64_t end) { kernels::map(end - begin, in + begin, out + begin, f); });
  });
  return y;
}

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b);

namespace detail {

/// Strides of x seen as `shape`: 0 along the axes that it is repeated over.
Shape broadcast_strides(const Tensor& x, const Shape& shape);

/// y = f(a, b) into the contiguous y, whose shape a and b broadcast to.
template <class A, class B, class U, class F>
void map2_into(const Tensor& a, const Tensor& b, const Tensor& y, F f) {
  const A* from_a = ptr<A>(a);
  const B* from_b = ptr<B>(b);
  U* out = mutable_ptr<U>(y);
  const int64_t n = y.numel();
  const bool whole_a = a.is_contiguous() && a.numel() == n, whole_b = b.is_contiguous() && b.numel() == n;
  if ((whole_a || a.numel() == 1) && (whole_b || b.numel() == 1))
    return parallel_rows(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
      kernels::map2(end - begin, from_a + (whole_a ? begin : 0), whole_a, from_b + (whole_b ? begin : 0),
                    whole_b, out + begin, f);
    });
  const Shape& shape = y.shape();
  const Shape strides_a = broadcast_strides(a, shape), strides_b = broadcast_strides(b, shape);
  kernels::map2_strided(int(shape.size()), shape.begin(), kernels::View<A>{from_a, strides_a.begin()},
                        kernels::View<B>{from_b, strides_b.begin()}, out, f);
}

}  // namespace detail

/// y = f(a, b) with broadcasting, in the dtype of a and b, which must be the same and floating.
template <class F>
Tensor map2(const char* op, const Tensor& a, const Tensor& b, F f) {
  check_same_dtype(op, a, b);
  Tensor y = detail::new_tensor(
      a.shape() == b.shape() ? a.shape() : broadcast_shape(op, a.shape(), b.shape()), a.dtype());
  detail::dispatch_float(op, a.dtype(), [&]<class T>(T) { detail::map2_into<T, T, T>(a, b, y, f); });
  return y;
}

/// dx from one formula. `f` takes numbers or tensors: a generic lambda over dy and what was saved, written
/// with operators and functions that exist for both. One pass over memory as long as nothing records; the
/// formula in operations when the backward pass is itself recorded.
///
///   return {elementwise_vjp("tanh", [](auto dy, auto y) { return dy * (1 - y * y); }, dy, y)};
template <class F>
Tensor elementwise_vjp(const char* op, F f, const Tensor& dy, const Tensor& saved) {
  if (is_recording()) return f(dy, saved);
  return map2(op, dy, saved, f);
}

}  // namespace tapegrad
