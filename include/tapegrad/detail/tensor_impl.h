// What a Tensor handle points to: a view (shape, strides, offset) of a storage, and what the tape knows of it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>

#include <tapegrad/detail/ref.h>
#include <tapegrad/dtype.h>
#include <tapegrad/shape.h>

namespace tapegrad::detail {

/// A block of memory, its data behind this header; shared by all views of it.
struct alignas(64) Storage : Counted {
  uint32_t version = 0;  // writes so far: a saved tensor is used only while it has not moved
  uint32_t offset = 0;   // of the data from this header
  size_t bytes = 0;      // of data
  std::byte* data() { return reinterpret_cast<std::byte*>(this) + offset; }
};

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
  bool is_inside = false;    // lies in the block of its first storage, as that of a small new tensor does
  uint16_t output = 0;       // which output of its record
  uint32_t record = 0;       // index of the record that made it, on the tape with serial `tape`
  uint64_t tape = 0;         // 0: none. Serials are never used twice, so an ended tape's tensors are plain values;
                             // of a leaf, the tape that holds it, which may be on another thread: see tape_of()
  const char* op = nullptr;  // name of that record
  Ref<TensorImpl> grad = {};
  Ref<Storage> first = {};  // the first storage, where it is inside and has got another
};

void destroy(TensorImpl* impl) noexcept;

}  // namespace tapegrad::detail
