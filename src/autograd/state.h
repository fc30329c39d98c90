// What a tape consists of: an array of records, an arena for what they hold, and the link to the tape around
// it.
#pragma once
#include <tapegrad/record.h>
#include <tapegrad/tape.h>

#include <cstddef>

#include "core/scope.h"
#include "tensor/impl.h"

namespace tapegrad::detail {

/// Where a gradient goes: output `output` of record `record`; kNone for an input that needs none.
struct Edge {
  static constexpr uint32_t kNone = ~0u;
  uint32_t record;
  uint32_t output;
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

enum class RecordState : uint8_t { alive, freed, leaf };

struct Record {
  const char* op;
  uint32_t path;        // of the module
  int32_t step;         // of a recurrent loop, -1 outside
  uint32_t first_slot;  // of its outputs' gradients
  uint16_t n_inputs, n_outputs;
  RecordState state;
  Edge* inputs;  // in the arena, as the rest
  OutputInfo* outputs;
  Vjp* vjp;          // null for a leaf
  TensorImpl* leaf;  // owned; null for an operation
  size_t saved_bytes;
  double forward_ms, backward_ms;
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
  void clear() { size_ = 0; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return items_[i]; }
  const T& operator[](size_t i) const { return items_[i]; }

 private:
  void grow();
  T* items_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

struct TapeState {
  uint64_t serial = 0;
  TapeState* outer = nullptr;        // the tape that was the innermost before
  TapeState* was_current = nullptr;  // the one that recorded before: outer, or null under NoGrad
  TapeOptions options;
  uint32_t n_slots = 0;
  FlatArray<Record> records;
  Arena arena;
  double last_time = 0;  // of the record before, for the profile
  TapeState* next_unused = nullptr;
};

extern thread_local TapeState* current_tape;    // the one that records; null outside and under NoGrad
extern thread_local TapeState* innermost_tape;  // the innermost alive, recording or not
extern thread_local const char* running_op;     // whose backward function runs, for messages

/// Whether a tape with this serial is alive, on any thread.
bool is_alive(uint64_t serial);

/// The record of x on this tape; a leaf is entered at its first use. kNone if x needs no gradient here.
Edge edge_of(TapeState& tape, const Tensor& x);

// Defined in the ops room: the loop needs these two operations, recorded when it is.
Tensor sum_of(const Tensor& a, const Tensor& b);
/// a += b where a is exclusive.
void add_in_place(Tensor& a, const Tensor& b);
Tensor sum_to_shape(const Tensor& gradient, const Shape& shape);
bool all_finite(const Tensor& x);
std::string range_text(const Tensor& x);  // "[-1.2, 3.4]", the range of the finite values

double now_ms();

}  // namespace tapegrad::detail
