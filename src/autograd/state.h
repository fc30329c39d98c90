// What a tape consists of: an array of records, an arena for what they hold, and the link to the tape around
// it.
#pragma once
#include <tapegrad/record.h>
#include <tapegrad/tape.h>

#include <algorithm>
#include <cstddef>

#include "autograd/observers.h"
#include "core/scope.h"
#include "tensor/impl.h"

namespace tapegrad::detail {

/// Where a gradient goes: output `output` of record `record`. An input that needs none has kConstantRecord set
/// in `record`; it is kNone if the tape has no record of the input at all.
struct Edge {
  static constexpr uint32_t kNone = ~0u;
  uint32_t record;
  uint32_t output;
  bool needs_gradient() const { return record < kConstantRecord; }
};

/// Shape and dtype of an output; the tensor itself may be gone.
struct OutputInfo {
  Dtype dtype;
  int32_t rank;
  int64_t sizes[Shape::max_dims];  // only `rank` of them are written
  Shape shape() const { return Shape(std::span(sizes, size_t(rank))); }
  bool matches(const Shape& other) const {
    if (other.size() != rank) return false;
    for (int i = 0; i < rank; ++i)
      if (other[i] != sizes[i]) return false;
    return true;
  }
};

enum class RecordState : uint8_t { alive, freed, leaf, constant };

struct Record {
  const char* op;
  uint32_t path;        // of the module
  int32_t step;         // of a recurrent loop, -1 outside
  uint32_t first_slot;  // of its outputs' gradients
  uint32_t n_inputs;
  uint16_t n_outputs;
  RecordState state;
  bool has_gradient;
  bool reached;  // by the backward pass of an observed tape
  uint8_t n_attributes;
  Edge* inputs;  // in the arena, as the rest
  OutputInfo* outputs;
  const Attribute* attributes;
  Vjp* vjp;          // null for a leaf and a constant
  TensorImpl* leaf;  // owned; null for an operation
  size_t saved_bytes;
};

/// Chunks of memory that are used again by the next tape; nothing in them is freed on its own.
class Arena {
 public:
  void* take(size_t bytes, size_t align);
  void rewind();
  ~Arena();

 private:
  struct Chunk {
    Chunk* next;
    size_t bytes;  // with this header
  };
  Chunk* first_ = nullptr;
  Chunk* current_ = nullptr;
  size_t used_ = 0;
};

/// A growing array that keeps its memory when it is cleared.
template <class T>
class FlatArray {
 public:
  ~FlatArray() {
    if (items_) deallocate(items_, capacity_ * sizeof(T));
  }
  T& push() {
    if (size_ == capacity_) grow();
    return items_[size_++];
  }
  T& back() { return items_[size_ - 1]; }
  void pop() { --size_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }

 private:
  void grow() {
    static_assert(std::is_trivially_copyable_v<T>);
    const size_t capacity = capacity_ ? 2 * capacity_ : 64;
    T* items = static_cast<T*>(allocate(capacity * sizeof(T)));
    if (items_) {
      std::copy(items_, items_ + size_, items);
      deallocate(items_, capacity_ * sizeof(T));
    }
    items_ = items;
    capacity_ = capacity;
  }
  T* items_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

/// A leaf that an outer tape of this thread holds, too: it gets its leaf back when this one ends.
struct Borrowed {
  TensorImpl* leaf;  // owned
  uint64_t tape;
  uint32_t record;
};

struct TapeState {
  uint64_t serial = 0;
  TapeState* outer = nullptr;        // the tape that was the innermost before
  TapeState* was_current = nullptr;  // the one that recorded before: outer, or null under NoGrad
  TapeOptions options;               // with the built-in observers among the others
  bool is_watched = false;           // whether it traces or has observers
  uint32_t n_slots = 0;
  FlatArray<Record> records;
  FlatArray<Borrowed> borrowed;
  Arena arena;
  Profile profile;
  TapeState* next_unused = nullptr;
};

/// What the tapes of a thread have to know of it, together: one look-up of thread-local memory.
struct Thread {
  TapeState* current = nullptr;      // the tape that records; null outside and under NoGrad
  TapeState* innermost = nullptr;    // the innermost alive, recording or not
  const char* running_op = nullptr;  // whose backward function runs, for messages
  size_t saved_bytes = 0;  // that Saved objects have taken since the last record; the next is theirs
};
extern constinit thread_local Thread this_thread;

/// The record of x on this tape; a leaf is entered at its first use. kNone if x needs no gradient here.
Edge edge_of(TapeState& tape, const Tensor& x);

/// A copy of `text` that lives as long as the program: names and attributes are kept as pointers.
const char* lasting(std::string_view text);

/// Takes the records from `size` on off the tape.
void truncate(TapeState& tape, size_t size);

/// a + b and the sum of a broadcast gradient, recorded when the loop is: see algebra.cpp.
Tensor sum_of(const Tensor& a, const Tensor& b);
Tensor sum_to_shape(const Tensor& gradient, const Shape& shape);

}  // namespace tapegrad::detail
