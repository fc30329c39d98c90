// The tape's life and its records: begin, append, end. The loop backward is in backward.cpp.
#include <tapegrad/tape.h>

#include <cstdlib>
#include <mutex>
#include <string_view>

#include "autograd/exclusive.h"
#include "autograd/state.h"
#include "core/fail.h"

namespace tapegrad {

namespace detail {

constinit thread_local Thread this_thread;
constinit thread_local TapeState* watched_tape = nullptr;

namespace {

// The tapes alive on all threads. Few, so a scan finds one.
struct Alive {
  std::mutex mutex;
  struct Entry {
    uint64_t serial;
    const Thread* thread;
  };
  std::vector<Entry> tapes;
  uint64_t last = 0;

  uint64_t enter() {
    std::lock_guard lock(mutex);
    tapes.push_back({++last, &this_thread});
    return last;
  }
  void leave(uint64_t serial) {
    std::lock_guard lock(mutex);
    std::erase_if(tapes, [=](const Entry& tape) { return tape.serial == serial; });
  }
  // Under the mutex:
  /// The thread of a tape that is alive, else null.
  const Thread* thread_of(uint64_t serial) const {
    for (const Entry& tape : tapes)
      if (tape.serial == serial) return tape.thread;
    return nullptr;
  }
  /// Whether a tape of this thread holds the leaf. Throws AutogradError if one of another thread does: they would
  /// write to the same gradient.
  bool is_held_here(std::string_view op, const TensorImpl& leaf) const {
    const Thread* thread = thread_of(tape_of(leaf));
    if (thread && thread != &this_thread)
      fail<AutogradError>(
          op,
          "the leaf {} is in use on another thread. Hint: train a clone() of the model on each "
          "thread, and add up their gradients",
          leaf.shape);
    return thread != nullptr;
  }
};
Alive& alive() {
  static Alive& all = *new Alive;
  return all;
}

bool is_alive(uint64_t serial) {
  Alive& all = alive();
  std::lock_guard lock(all.mutex);
  return all.thread_of(serial) != nullptr;
}

// Ended tapes of this thread: their memory serves the next.
struct Unused {
  TapeState* first = nullptr;
  ~Unused() {
    while (first) delete std::exchange(first, first->next_unused);
  }
};
thread_local Unused unused;

}  // namespace

void* Arena::take(size_t bytes, size_t align) {
  if (current_) {
    const size_t at = (used_ + align - 1) / align * align;
    if (at + bytes <= current_->bytes) {
      used_ = at + bytes;
      return reinterpret_cast<std::byte*>(current_) + at;
    }
  }
  // The next chunk of an earlier tape if it is large enough, else a new one before it.
  Chunk* next = current_ ? current_->next : first_;
  const size_t needed = sizeof(Chunk) + align + bytes;
  if (!next || next->bytes < needed) {
    const size_t size =
        std::max<size_t>(needed, current_ ? std::min<size_t>(2 * current_->bytes, 1 << 22) : 1 << 14);
    Chunk* chunk = new (allocate(size)) Chunk{next, size};
    (current_ ? current_->next : first_) = chunk;
    next = chunk;
  }
  current_ = next;
  used_ = sizeof(Chunk);
  return take(bytes, align);
}

void Arena::rewind() {
  current_ = first_;
  used_ = sizeof(Chunk);
}

Arena::~Arena() {
  while (first_) {
    Chunk* chunk = std::exchange(first_, first_->next);
    deallocate(chunk, chunk->bytes);
  }
}

std::byte* record_memory(TapeState* tape, size_t bytes, size_t n_inputs, size_t n_outputs) {
  static_assert(alignof(Edge) <= alignof(OutputInfo) && sizeof(Edge) % alignof(OutputInfo) == 0);
  const size_t lists = n_inputs * sizeof(Edge) + n_outputs * sizeof(OutputInfo);
  return static_cast<std::byte*>(tape->arena.take(bytes + lists, alignof(std::max_align_t)));
}

namespace {

void describe(OutputInfo& info, const Tensor& x) {
  const Shape& shape = x.impl()->shape;
  info.dtype = x.impl()->dtype;
  info.rank = int32_t(shape.size());
  for (int64_t i = 0; i < shape.size(); ++i) info.sizes[i] = shape[i];
}

Record& new_record(TapeState& tape, const char* op, RecordState state, size_t n_inputs, size_t n_outputs) {
  Record& record = tape.records.push();
  record.op = op;
  record.path = current_path();
  record.step = int32_t(current_step());
  record.first_slot = tape.n_slots;
  record.n_inputs = uint32_t(n_inputs);
  record.n_outputs = uint16_t(n_outputs);
  record.state = state;
  record.n_attributes = 0;
  record.attributes = nullptr;
  record.vjp = nullptr;
  record.leaf = nullptr;
  record.saved_bytes = 0;
  tape.n_slots += uint32_t(n_outputs);
  return record;
}

// Gives a leaf to this tape, which has no record of it yet.
void claim(const char* op, TapeState& tape, TensorImpl& leaf) {
  Alive& all = alive();
  std::lock_guard lock(all.mutex);
  if (all.is_held_here(op, leaf)) {
    leaf.refs.add();
    tape.borrowed.push() = {&leaf, tape_of(leaf), leaf.record};
  }
  leaf.record = Edge::kNone;
  set_tape(leaf, tape.serial);
}

Edge leaf_edge(TapeState& tape, const Tensor& x) {
  TensorImpl& leaf = *x.impl();
  if (tape_of(leaf) != tape.serial) claim("tape", tape, leaf);
  if (leaf.record < kConstantRecord) return {leaf.record, 0};
  leaf.record = uint32_t(tape.records.size());
  Record& record = new_record(tape, "leaf", RecordState::leaf, 0, 1);
  record.inputs = nullptr;
  record.outputs = reinterpret_cast<OutputInfo*>(record_memory(&tape, 0, 0, 1));
  describe(record.outputs[0], x);
  record.leaf = &leaf;
  leaf.refs.add();
  return {leaf.record, 0};
}

}  // namespace

Edge edge_of(TapeState& tape, const Tensor& x) {
  const TensorImpl* impl = x.impl();
  if (!impl) return {Edge::kNone, 0};
  if (impl->requires_grad) return leaf_edge(tape, x);
  if (tape_of(*impl) == tape.serial) return {impl->record, impl->output};
  return {Edge::kNone, 0};
}

TapeState* recording(const char* op, Inputs inputs) {
  Thread& thread = this_thread;
  TapeState* tape = thread.current;
  bool needed = false;
  for (size_t i = 0; tape && i < inputs.count; ++i) {
    TensorImpl* impl = inputs.first[i].tensor->impl();
    if (!impl) continue;
    const uint64_t serial = tape_of(*impl);
    if (impl->requires_grad) {
      needed = true;
      if (serial != tape->serial) claim(op, *tape, *impl);
    } else if (serial != 0 && impl->record < kConstantRecord) {
      if (serial == tape->serial)
        needed = true;
      else if (is_alive(serial))
        fail<AutogradError>(
            op,
            "input {} belongs to an outer tape that is still alive, its gradient would be lost here. "
            "Hint: use detach() if it is meant as a value, or record both on one tape",
            i);
    }
  }
  if (needed) return tape;
  thread.saved_bytes = 0;
  return nullptr;
}

void append(TapeState* tape, const char* op, std::span<Tensor> outputs, Inputs inputs, Attributes attributes,
            Vjp* vjp, std::byte* rest, bool has_gradient) {
  const size_t size_before = tape->records.size();
  Edge* edges = reinterpret_cast<Edge*>(rest);
  for (size_t i = 0; i < inputs.count; ++i) edges[i] = edge_of(*tape, *inputs.first[i].tensor);
  auto* infos = reinterpret_cast<OutputInfo*>(edges + inputs.count);
  const uint32_t index = uint32_t(tape->records.size());
  Record& record =
      new_record(*tape, op, vjp ? RecordState::alive : RecordState::constant, inputs.count, outputs.size());
  record.inputs = edges;
  record.outputs = infos;
  record.vjp = vjp;
  record.has_gradient = has_gradient;
  record.saved_bytes = std::exchange(this_thread.saved_bytes, 0);
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor& y = outputs[i];
    // An operation that had nothing to do may return its input: the record needs a handle of its own.
    if (tape_of(*y.impl()) == tape->serial || y.impl()->requires_grad) y = y.detach();
    TensorImpl* impl = y.impl();
    describe(infos[i], y);
    const bool takes_gradient = vjp && is_floating(impl->dtype);
    if (!takes_gradient && !tape->options.trace) continue;
    impl->record = takes_gradient ? index : index | kConstantRecord;
    impl->output = uint16_t(i);
    set_tape(*impl, tape->serial);
  }
  if (tape->is_watched) [[unlikely]] {
    keep_attributes(*tape, record, attributes);
    try {
      tell_forward(*tape, view_of(*tape, index), inputs, outputs);
    } catch (...) {
      for (const Tensor& y : outputs) set_tape(*y.impl(), 0);
      truncate(*tape, size_before);
      throw;
    }
  }
}

void note(const char* op, std::span<Tensor> outputs, Inputs inputs, Attributes attributes,
          bool has_gradient) {
  TapeState& tape = *watched_tape;
  if (tape.options.trace && this_thread.current == &tape) {
    std::byte* place = record_memory(&tape, 0, inputs.count, outputs.size());
    append(&tape, op, outputs, inputs, attributes, nullptr, place, has_gradient);
    return;
  }
  const OperationView view{.name = op,
                           .record = -1,
                           .attributes = {attributes.first, attributes.count},
                           .has_gradient = has_gradient,
                           .step = current_step(),
                           .path = current_path()};
  tell_forward(tape, view, inputs, outputs);
}

void Exclusive::take(const Tensor& leaf) {
  TensorImpl& impl = *leaf.impl();
  const TapeState* mine = this_thread.innermost;
  if (mine && tape_of(impl) == mine->serial) return;
  Alive& all = alive();
  if (serial_ == 0) serial_ = all.enter();
  std::lock_guard lock(all.mutex);
  if (all.is_held_here(op_, impl)) return;
  impl.record = Edge::kNone;
  set_tape(impl, serial_);
}

Exclusive::~Exclusive() {
  if (serial_ != 0) alive().leave(serial_);
}

void truncate(TapeState& tape, size_t size) {
  while (tape.records.size() > size) {
    Record& record = tape.records.back();
    if (record.state == RecordState::alive) record.vjp->destroy(record.vjp);
    if (record.leaf) {
      if (tape_of(*record.leaf) == tape.serial) record.leaf->record = Edge::kNone;
      Ref<TensorImpl>::adopt(record.leaf);
    }
    tape.n_slots = record.first_slot;
    tape.records.pop();
  }
}

}  // namespace detail

detail::SmallVector<Saved, 4> detail::save(const Tensors& tensors) {
  SmallVector<Saved, 4> saved;
  for (const Tensor& x : tensors) saved.push_back(Saved(x));
  return saved;
}

Tensors detail::read(const SmallVector<Saved, 4>& saved) {
  Tensors tensors;
  for (const Saved& x : saved) tensors.push_back(x);
  return tensors;
}

Saved::Saved(const Tensor& tensor) : tensor_(tensor) {
  if (!tensor.defined()) return;
  const detail::TensorImpl& impl = *tensor.impl();
  version_ = impl.storage->version;
  detail::this_thread.saved_bytes += size_t(impl.numel) * item_size(impl.dtype);
}

void Saved::changed() const {
  fail<AutogradError>(
      detail::this_thread.running_op ? detail::this_thread.running_op : "backward",
      "the tensor {} that the forward pass saved was changed in place since (version {}, saved at {}). "
      "Hint: go backward first, or change a clone()",
      tensor_.shape(), tensor_.version(), version_);
}

Tape::Tape(TapeOptions options) {
  using namespace detail;
  if (unused.first)
    state_ = std::exchange(unused.first, unused.first->next_unused);
  else
    state_ = new TapeState;
  state_->serial = alive().enter();
  state_->options = std::move(options);
  state_->outer = this_thread.innermost;
  state_->was_current = this_thread.current;
  attach_observers(*state_);
  this_thread.innermost = this_thread.current = state_;
  watched_tape = state_->is_watched ? state_ : nullptr;
}

Tape::~Tape() {
  using namespace detail;
  truncate(*state_, 0);
  for (; state_->borrowed.size() > 0; state_->borrowed.pop()) {
    const Borrowed& back = state_->borrowed.back();
    if (tape_of(*back.leaf) == state_->serial) {
      back.leaf->record = back.record;
      set_tape(*back.leaf, back.tape);
    }
    Ref<TensorImpl>::adopt(back.leaf);
  }
  state_->arena.rewind();
  alive().leave(state_->serial);
  this_thread.innermost = state_->outer;
  this_thread.current = state_->was_current;
  watched_tape = state_->outer && state_->outer->is_watched ? state_->outer : nullptr;
  state_->next_unused = unused.first;
  unused.first = state_;
}

NoGrad::NoGrad() : before_(std::exchange(detail::this_thread.current, nullptr)) {}
NoGrad::~NoGrad() {
  detail::this_thread.current = before_;
}

bool is_recording() {
  return detail::this_thread.current != nullptr;
}

bool Tensor::is_recorded() const {
  if (!impl_ || impl_->requires_grad) return false;
  for (detail::TapeState* tape = detail::this_thread.innermost; tape; tape = tape->outer)
    if (detail::is_on_tape(*impl_, tape->serial)) return true;
  return false;
}

bool reference_mode() {
  static const bool on = [] {
    const char* wish = std::getenv("TAPEGRAD_REFERENCE");
    return wish && *wish && std::string_view(wish) != "0";
  }();
  return on;
}

}  // namespace tapegrad
