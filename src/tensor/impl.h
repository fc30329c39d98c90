// What operations do with a tensor besides its members: make one, read and write its numbers unchecked.
#pragma once
#include <tapegrad/random.h>
#include <tapegrad/tensor.h>

namespace tapegrad::detail {

/// In `record`: made by a record without a gradient, which a tape that traces has too.
inline constexpr uint32_t kConstantRecord = 1u << 31;

/// Serial of the tape that made x, or that holds x if x is a leaf.
inline uint64_t tape_of(const TensorImpl& x) { return __atomic_load_n(&x.tape, __ATOMIC_RELAXED); }
inline void set_tape(TensorImpl& x, uint64_t serial) { __atomic_store_n(&x.tape, serial, __ATOMIC_RELAXED); }
/// Whether the tape made x and leads a gradient to it.
inline bool is_on_tape(const TensorImpl& x, uint64_t serial) {
  return tape_of(x) == serial && x.record < kConstantRecord;
}

/// A new contiguous tensor, not written to.
Tensor new_tensor(const Shape& shape, Dtype dtype);
/// A view of x's storage; `offset` in elements from x's first. The caller answers for the bounds.
Tensor new_view(const Tensor& x, const Shape& shape, const Shape& strides, int64_t offset);

/// Whether nobody else holds the tensor or its memory, so that it may be written to in place.
inline bool is_exclusive(const Tensor& x) {
  const TensorImpl* impl = x.impl();
  return impl->has_one_ref() && impl->storage->has_one_ref() && impl->contiguous;
}

/// Unchecked access for operations, which checked already. Writing through mutable_ptr does not count as a
/// change: it is for a tensor that the operation has just made.
template <class T>
const T* ptr(const Tensor& x) {
  return reinterpret_cast<const T*>(x.impl()->data);
}
template <class T>
T* mutable_ptr(const Tensor& x) {
  return reinterpret_cast<T*>(x.impl()->data);
}
/// The same, and null for a tensor that is not given.
template <class T>
const T* ptr_or_null(const Tensor& x) {
  return x.defined() ? ptr<T>(x) : nullptr;
}
template <class T>
T* mutable_ptr_or_null(const Tensor& x) {
  return x.defined() ? mutable_ptr<T>(x) : nullptr;
}

/// The values of x in row-major order in memory of their own, without its record.
Tensor contiguous_copy(const Tensor& x);

/// Writes `value` to every element of the contiguous x. Throws DtypeError where an int64 does not hold it.
void fill(const char* op, const Tensor& x, double value);

/// rand() from a generator of one's own.
Tensor uniform(const Shape& shape, TensorOptions options, Generator& generator);

/// Calls f with a value of the C++ type of a floating dtype: dispatch_float("exp", x.dtype(), [&]<class T>(T)
/// {...}).
[[noreturn]] void fail_not_floating(const char* op, Dtype dtype);
template <class F>
decltype(auto) dispatch_float(const char* op, Dtype dtype, F&& f) {
  if (dtype == float32) return f(float{});
  if (dtype == float64) return f(double{});
  fail_not_floating(op, dtype);
}
template <class F>
decltype(auto) dispatch_all(Dtype dtype, F&& f) {
  if (dtype == float32) return f(float{});
  if (dtype == float64) return f(double{});
  return dtype == int64 ? f(int64_t{}) : f(bool{});
}

/// x, new and contiguous, whose element i becomes f(i).
template <class F>
Tensor generate(Tensor x, F f) {
  dispatch_all(x.dtype(), [&]<class T>(T) {
    T* out = mutable_ptr<T>(x);
    for (int64_t i = 0; i < x.numel(); ++i) out[i] = T(f(i));
  });
  return x;
}

}  // namespace tapegrad::detail
