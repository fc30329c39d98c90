// What a Tensor handle points to: a view (shape, strides, offset) of a storage, and what the tape knows of
// it.
#pragma once
#include <tapegrad/detail/ref.h>
#include <tapegrad/memory.h>
#include <tapegrad/random.h>
#include <tapegrad/tensor.h>

#include <cstddef>

namespace tapegrad::detail {

/// A block of memory, its data behind this header; shared by all views of it.
struct Storage : Counted {
  uint32_t version = 0;  // writes so far: a saved tensor is used only while it has not moved
  uint32_t offset = 64;  // of the data from this header
  size_t bytes = 0;      // of data
  std::byte* data() { return reinterpret_cast<std::byte*>(this) + offset; }
};
static_assert(sizeof(Storage) <= 64);

void destroy(Storage* storage) noexcept;

/// Which numbers of a storage, and in which order.
struct View {
  // Member by member: a Shape that was just written number by number is slow to load whole, and so to copy.
  View(Dtype dtype, int64_t numel, std::byte* data, Ref<Storage> storage, const Shape& shape)
      : dtype(dtype),
        numel(numel),
        data(data),
        storage(std::move(storage)),
        shape(shape),
        strides(contiguous_strides(shape)) {}

  Dtype dtype;
  bool contiguous = true;
  int64_t numel;
  std::byte* data;
  Ref<Storage> storage;
  Shape shape, strides;
};

struct TensorImpl : Counted, View {
  using View::View;

  bool requires_grad = false;
  uint16_t output = 0;       // which output of its record
  uint32_t record = 0;       // index of the record that made it, on the tape with serial `tape`
  uint64_t tape = 0;         // 0: none. Serials are never used twice, so an ended tape's tensors are plain values;
                             // of a leaf, the tape that holds it, which may be on another thread: see tape_of()
  const char* op = nullptr;  // name of that record
  Ref<TensorImpl> grad = {};

  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* memory, size_t bytes) { deallocate(memory, bytes); }
};

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
