// Elementwise functions of tensors of any shape: map() and map2() run one function over all elements, with
// NumPy's broadcasting. Nothing is recorded.
#pragma once
#include <tapegrad/tensor.h>

#include "core/fail.h"
#include "kernels/loops/rows.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

/// Elements from which an elementwise operation is split over the threads; below, waking one costs more than
/// it saves.
inline constexpr int64_t kElementwiseGrain = 32768;

/// Throws DtypeError unless a and b have one dtype.
void check_same_dtype(const char* op, const Tensor& a, const Tensor& b);
/// Throws DtypeError unless x is float32 or float64.
void check_floating(const char* op, const Tensor& x);

/// `value` as a tensor that broadcasts with x, in its dtype. Throws DtypeError where x is integer and `value`
/// has a fraction.
Tensor number_like(const char* op, const Tensor& x, double value);

/// Strides of x seen as `shape`: 0 along the axes that it is repeated over.
Shape broadcast_strides(const Tensor& x, const Shape& shape);

/// A new tensor of the shape that a and b, of one dtype, broadcast to.
Tensor new_result(const char* op, const Tensor& a, const Tensor& b, Dtype dtype);

/// How two inputs that broadcast to `shape` are walked: rows in which each is a span or one value.
struct BroadcastPlan {
  BroadcastPlan(const Tensor& a, const Tensor& b, const Shape& shape);
  Tensor a, b;  // a copy of an input whose rows have another stride
  kernels::detail::Loops<2> loops;
  bool one_a, one_b;
};

/// f called with a value of x's C++ type, which must be a number.
template <class F>
decltype(auto) dispatch_number(const char* op, Dtype dtype, F&& f) {
  if (dtype == Dtype::int64) return f(int64_t{});
  return detail::dispatch_float(op, dtype, f);
}

template <class A, class B, class U, class F>
void map2_span(int64_t n, const A* a, bool one_a, const B* b, bool one_b, U* y, F f) {
  parallel_rows(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    kernels::map2_rows(1, end - begin, a + (one_a ? 0 : begin), one_a, b + (one_b ? 0 : begin), one_b, nullptr,
                       y + begin, f);
  });
}

/// y = f(a, b) into the contiguous y, whose shape a and b broadcast to.
template <class A, class B, class U, class F>
void map2_into(const Tensor& a, const Tensor& b, const Tensor& y, F f) {
  U* out = detail::mutable_ptr<U>(y);
  const int64_t n = y.numel();
  const bool whole_a = a.is_contiguous() && a.numel() == n, whole_b = b.is_contiguous() && b.numel() == n;
  if ((whole_a && (whole_b || b.numel() == 1)) || (whole_b && a.numel() == 1))
    return map2_span(n, detail::ptr<A>(a), !whole_a, detail::ptr<B>(b), !whole_b, out, f);
  if (n == 0) return;
  const BroadcastPlan plan(a, b, y.shape());
  const A* from_a = detail::ptr<A>(plan.a);
  const B* from_b = detail::ptr<B>(plan.b);
  const bool one_a = plan.one_a, one_b = plan.one_b;
  if (plan.loops.rank == 1) return map2_span(n, from_a, one_a, from_b, one_b, out, f);
  const int64_t width = plan.loops.inner();
  parallel_rows(n / width, kElementwiseGrain / width, [&](int64_t begin, int64_t end) {
    kernels::RowStarts starts(plan.loops, begin);
    kernels::map2_rows(end - begin, width, from_a, one_a, from_b, one_b, &starts, out + begin * width, f);
  });
}

/// y[i] = f(x[i]) as U, for x with elements of type T.
template <class T, class U, class F>
void map_into(const Tensor& x, const Tensor& y, F f) {
  const Tensor from = detail::plain(x);
  const T* in = detail::ptr<T>(from);
  U* out = detail::mutable_ptr<U>(y);
  parallel_rows(y.numel(), kElementwiseGrain,
                [=](int64_t begin, int64_t end) { kernels::map(end - begin, in + begin, out + begin, f); });
}

/// y[i] = f(x[i]), in x's dtype, for floating x.
template <class F>
Tensor map(const char* op, const Tensor& x, F f) {
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) { map_into<T, T>(x, y, f); });
  return y;
}

/// y = f(a, b) with broadcasting, in the dtype of a and b, which must be the same and floating.
template <class F>
Tensor map2(const char* op, const Tensor& a, const Tensor& b, F f) {
  Tensor y = new_result(op, a, b, a.dtype());
  detail::dispatch_float(op, a.dtype(), [&]<class T>(T) { map2_into<T, T, T>(a, b, y, f); });
  return y;
}

/// The same for int64 too.
template <class F>
Tensor map2_number(const char* op, const Tensor& a, const Tensor& b, F f) {
  Tensor y = new_result(op, a, b, a.dtype());
  dispatch_number(op, a.dtype(), [&]<class T>(T) { map2_into<T, T, T>(a, b, y, f); });
  return y;
}

/// y[i] = f(a[i], b[i]) for a and b of one shape, in b's dtype, which must be floating.
template <class F>
Tensor zip(const char* op, const Tensor& a, const Tensor& b, F f) {
  const Tensor left = detail::plain(a), right = detail::plain(b);
  Tensor y = detail::new_tensor(b.shape(), b.dtype());
  detail::dispatch_float(op, b.dtype(), [&]<class T>(T) {
    const T *from_a = detail::ptr<T>(left), *from_b = detail::ptr<T>(right);
    T* out = detail::mutable_ptr<T>(y);
    parallel_rows(y.numel(), kElementwiseGrain, [=](int64_t begin, int64_t end) {
      kernels::simd([=] {
        TAPEGRAD_INDEPENDENT
        for (int64_t i = begin; i < end; ++i) out[i] = f(from_a[i], from_b[i]);
      });
    });
  });
  return y;
}

/// The mask f(a, b) of two tensors of one dtype, with broadcasting.
template <class F>
Tensor compare(const char* op, const Tensor& a, const Tensor& b, F f) {
  Tensor y = new_result(op, a, b, boolean);
  detail::dispatch_all(a.dtype(), [&]<class T>(T) { map2_into<T, T, bool>(a, b, y, f); });
  return y;
}

/// The mask f(x) of a floating tensor.
template <class F>
Tensor test(const char* op, const Tensor& x, F f) {
  Tensor y = detail::new_tensor(x.shape(), boolean);
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) { map_into<T, bool>(x, y, f); });
  return y;
}

/// The mask f(a, b) of two masks, with broadcasting; f takes and returns bytes, 0 or 1.
template <class F>
Tensor map_masks(const char* op, const Tensor& a, const Tensor& b, F f) {
  Tensor y = new_result(op, a, b, boolean);
  map2_into<uint8_t, uint8_t, uint8_t>(a, b, y, f);
  return y;
}

/// Element i of a new tensor is f(i), a double.
template <class F>
Tensor generate(const Shape& shape, Dtype dtype, F f) {
  return detail::generate(detail::new_tensor(shape, dtype), f);
}

}  // namespace tapegrad::compute
