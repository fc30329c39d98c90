// What a tape consists of: an array of records, memory for what they hold, and the link to the tape around
// it. A record has a number for life, which tensors and edges know; it is also its place in the array until
// records before it are dropped.
#pragma once
#include <tapegrad/detail/scope.h>
#include <tapegrad/record.h>

#include <memory>
#include <memory_resource>
#include <vector>

#include "autograd/observers.h"
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
  Shape shape;
  Dtype dtype;
};

enum class RecordState : uint8_t { alive, freed, leaf, constant };

struct Record {
  OperationView operation;  // as observers see it
  RecordState state;
  std::span<const Edge> inputs = {};  // in the arena, as its attributes and the next two
  std::span<const OutputInfo> outputs = {};
  Vjp* vjp = nullptr;  // null for a leaf and a constant
  Tensor leaf = {};    // undefined for an operation
  size_t saved_bytes = 0;
  uint32_t first_slot = 0;  // of its outputs' gradients
  bool reached = false;     // by the backward pass of an observed tape
  bool ended = false;       // no backward pass can go through it any more: it, or what it was made from, is freed
};

/// Records that stand together; what was between them and the run before has ended and was dropped.
struct Run {
  uint32_t number;                                             // of its first record
  uint32_t position;                                           // of that in the array
  std::unique_ptr<std::pmr::monotonic_buffer_resource> arena;  // for what its records hold
};

/// A leaf that an outer tape of this thread holds, too: it gets its leaf back when this one ends.
struct Borrowed {
  Tensor leaf;
  uint64_t tape;
  uint32_t record;
};

/// The pool, as the standard library takes memory.
struct Pool final : std::pmr::memory_resource {
  void* do_allocate(size_t bytes, size_t) override { return detail::allocate(bytes); }
  void do_deallocate(void* block, size_t bytes, size_t) override { detail::deallocate(block, bytes); }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

struct TapeState {
  uint64_t serial = 0;
  Thread before;            // what the thread had when the tape began
  TapeOptions options;      // with the built-in observers among the others
  bool is_watched = false;  // whether it traces or has observers
  uint32_t n_slots = 0;
  bool went_backward = false;  // since the last record, so that there may be records to drop
  Pool pool;
  std::vector<Record> records;
  std::vector<Run> runs;            // of `records`, one as long as all is kept
  std::vector<Tensor> past_leaves;  // of dropped records, each once
  std::vector<Borrowed> borrowed;
  alignas(std::max_align_t) std::byte first_chunk[1 << 14];
  Profile profile;
  TapeState* next_unused = nullptr;

  TapeState();
  std::pmr::monotonic_buffer_resource& arena() { return *runs.back().arena; }
  uint32_t next_number() const { return runs.back().number + uint32_t(records.size()) - runs.back().position; }
  /// Where record `number` stands in the array, or its size if it was dropped; and the other way round.
  size_t position_of(uint32_t number) const {
    size_t end = records.size();
    for (auto run = runs.rbegin(); run != runs.rend(); end = run++->position)
      if (const size_t position = size_t(run->position) + number - run->number; number >= run->number)
        return position < end ? position : records.size();
    return records.size();
  }
  uint32_t number_of(size_t position) const;
  Record& record(uint32_t number) { return records[position_of(number)]; }
};

/// While it lives, operations are recorded on `tape`; or not at all if it is null, and then no observer is told
/// of them.
class RecordOn {
 public:
  explicit RecordOn(TapeState* tape) : before_(this_thread) {
    this_thread.current = tape;
    if (!tape) this_thread.watched = nullptr;
  }
  ~RecordOn() { this_thread = before_; }

 private:
  Thread before_;
};

/// Tells the observers of a tape. What they compute is neither recorded nor told.
template <class F>
void tell(const TapeState& tape, F f) {
  const RecordOn nothing(nullptr);
  for (TapeObserver* observer : tape.options.observers) f(*observer);
}

/// The innermost tape alive on this thread that made x and leads a gradient to it, or null.
TapeState* tape_that_made(const Tensor& x);

/// The record of x on this tape; a leaf is entered at its first use, and what a dropped record made as one that is
/// freed. kNone if x needs no gradient here.
Edge edge_of(TapeState& tape, const Tensor& x);

/// Adds the leaf to the list unless it is there.
void note_leaf(std::vector<Tensor>& leaves, const Tensor& leaf);

/// Takes the records from position `size` on off the tape.
void truncate(TapeState& tape, size_t size);

/// a + b and the sum of a broadcast gradient, recorded when the loop is: see algebra.cpp.
Tensor sum_of(const Tensor& a, const Tensor& b);
Tensor sum_to_shape(const Tensor& gradient, const Shape& shape);
/// x again, as a record of its own: what a gradient stops at, or what a function may return as it is.
Tensor alias_of(const Tensor& x);

}  // namespace tapegrad::detail
