// Elementwise operations on tensors of any shape: map() and map2() run one function over all elements with
// NumPy's broadcasting, and elementwise_vjp() makes a backward function out of one formula.
#pragma once
#include <tapegrad/ops.h>
#include <tapegrad/record.h>

#include "core/fail.h"
#include "kernels/loops/rows.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad {

/// Elements from which an elementwise operation is split over the threads; below, waking one costs more than
/// it saves.
inline constexpr int64_t kElementwiseGrain = 32768;

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b);

namespace detail {

/// Strides of x seen as `shape`: 0 along the axes that it is repeated over.
Shape broadcast_strides(const Tensor& x, const Shape& shape);

/// The values of x in row-major order, not recorded: x itself where it is contiguous.
class Contiguous {
 public:
  explicit Contiguous(const Tensor& x) : x_(x) {
    if (!x.is_contiguous()) [[unlikely]]
      copy_ = x.detach().contiguous();
  }
  const Tensor& get() const { return copy_.defined() ? copy_ : x_; }

 private:
  const Tensor& x_;
  Tensor copy_;
};

/// How two inputs that broadcast to `shape` are walked: rows in which each is a span or one value.
struct RowPlan {
  RowPlan(const Tensor& a, const Tensor& b, const Shape& shape);
  Tensor copy_a, copy_b;  // of an input whose rows have another stride
  const Tensor &a, &b;
  kernels::detail::Loops<2> loops;
  bool one_a, one_b;
};

/// f called with a value of x's C++ type, which must be a number.
template <class F>
decltype(auto) dispatch_number(const char* op, Dtype dtype, F&& f) {
  if (dtype == Dtype::int64) return f(int64_t{});
  return dispatch_float(op, dtype, f);
}

template <class A, class B, class U, class F>
void map2_span(int64_t n, const A* a, bool one_a, const B* b, bool one_b, U* y, F f) {
  parallel_rows(n, kElementwiseGrain, [=](int64_t begin, int64_t end) {
    kernels::map2_rows(1, end - begin, a + (one_a ? 0 : begin), one_a, b + (one_b ? 0 : begin), one_b,
                       nullptr, y + begin, f);
  });
}

/// y = f(a, b) into the contiguous y, whose shape a and b broadcast to.
template <class A, class B, class U, class F>
void map2_into(const Tensor& a, const Tensor& b, const Tensor& y, F f) {
  U* out = mutable_ptr<U>(y);
  const int64_t n = y.numel();
  const bool whole_a = a.is_contiguous() && a.numel() == n, whole_b = b.is_contiguous() && b.numel() == n;
  if ((whole_a && (whole_b || b.numel() == 1)) || (whole_b && a.numel() == 1))
    return map2_span(n, ptr<A>(a), !whole_a, ptr<B>(b), !whole_b, out, f);
  if (n == 0) return;
  const RowPlan plan(a, b, y.shape());
  const A* from_a = ptr<A>(plan.a);
  const B* from_b = ptr<B>(plan.b);
  const bool one_a = plan.one_a, one_b = plan.one_b;
  if (plan.loops.rank == 1) return map2_span(n, from_a, one_a, from_b, one_b, out, f);
  const int64_t width = plan.loops.inner();
  parallel_rows(n / width, kElementwiseGrain / width, [&](int64_t begin, int64_t end) {
    kernels::RowStarts starts(plan.loops, begin);
    kernels::map2_rows(end - begin, width, from_a, one_a, from_b, one_b, &starts, out + begin * width, f);
  });
}

/// A new tensor of the shape that a and b, of one dtype, broadcast to.
Tensor new_result(const char* op, const Tensor& a, const Tensor& b, Dtype dtype);

}  // namespace detail

/// y[i] = f(x[i]), in x's dtype, for floating x.
template <class F>
Tensor map(const char* op, const Tensor& x, F f) {
  const detail::Contiguous from(x);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from.get());
    T* out = detail::mutable_ptr<T>(y);
    parallel_rows(y.numel(), kElementwiseGrain,
                  [=](int64_t begin, int64_t end) { kernels::map(end - begin, in + begin, out + begin, f); });
  });
  return y;
}

/// y = f(a, b) with broadcasting, in the dtype of a and b, which must be the same and floating.
template <class F>
Tensor map2(const char* op, const Tensor& a, const Tensor& b, F f) {
  Tensor y = detail::new_result(op, a, b, a.dtype());
  detail::dispatch_float(op, a.dtype(), [&]<class T>(T) { detail::map2_into<T, T, T>(a, b, y, f); });
  return y;
}

/// `value` as a tensor that broadcasts with x, in its dtype. Throws DtypeError where x is integer and `value`
/// has a fraction.
Tensor number_like(const char* op, const Tensor& x, double value);

/// dx from one formula. `f` takes numbers or tensors: a generic lambda over dy and what was saved, written
/// with operators and functions that exist for both (formula.h). One pass over memory as long as nothing
/// records; the formula in operations when the backward pass is itself recorded.
///
///   return {elementwise_vjp("tanh", [](auto dy, auto y) { return dy * (1 - y * y); }, dy, y)};
template <class F>
Tensor elementwise_vjp(const char* op, F f, const Tensor& dy, const Tensor& saved) {
  if (is_recording()) return f(dy, saved);
  const detail::Contiguous a(dy), b(saved);
  Tensor dx = detail::new_tensor(saved.shape(), saved.dtype());
  detail::dispatch_float(op, saved.dtype(), [&]<class T>(T) {
    const T* from_a = detail::ptr<T>(a.get());
    const T* from_b = detail::ptr<T>(b.get());
    T* out = detail::mutable_ptr<T>(dx);
    parallel_rows(dx.numel(), kElementwiseGrain, [=](int64_t begin, int64_t end) {
      kernels::simd([=] {
        TAPEGRAD_INDEPENDENT
        for (int64_t i = begin; i < end; ++i) out[i] = f(from_a[i], from_b[i]);
      });
    });
  });
  return dx;
}

}  // namespace tapegrad
