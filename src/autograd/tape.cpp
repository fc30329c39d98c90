// The tape's life and its records: begin, append, end. The loop backward is in backward.cpp.
#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "autograd/state.h"
#include "autograd/writable.h"
#include "core/fail.h"

namespace tapegrad {

namespace detail {

constinit thread_local Thread this_thread;

namespace {

// The tapes alive on all threads. Few, so a scan finds one.
struct Alive {
  std::mutex mutex;
  std::vector<std::pair<uint64_t, const Thread*>> tapes;  // by serial number
  uint64_t last = 0;

  uint64_t enter() {
    std::lock_guard lock(mutex);
    tapes.emplace_back(++last, &this_thread);
    return last;
  }
  void leave(uint64_t serial) {
    std::lock_guard lock(mutex);
    std::erase_if(tapes, [=](const auto& tape) { return tape.first == serial; });
  }
  // Under the mutex:
  /// The thread of a tape that is alive, else null.
  const Thread* thread_of(uint64_t serial) const {
    for (const auto& [alive, thread] : tapes)
      if (alive == serial) return thread;
    return nullptr;
  }
  /// Whether a tape of this thread holds the leaf. Throws AutogradError if one of another thread does: they would
  /// write to the same gradient.
  bool is_held_here(std::string_view op, const TensorImpl& leaf) const {
    const Thread* thread = thread_of(tape_of(leaf));
    if (thread && thread != &this_thread)
      fail<AutogradError>(op,
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

// The attributes in the tape's memory.
std::span<const Attribute> kept(TapeState& tape, Attributes attributes) {
  static_assert(std::is_trivially_destructible_v<Attribute>);
  auto* copies = static_cast<Attribute*>(tape.arena().allocate(attributes.size() * sizeof(Attribute)));
  std::uninitialized_copy(attributes.begin(), attributes.end(), copies);
  for (size_t i = 0; i < attributes.size(); ++i)
    if (const auto* text = std::get_if<std::string_view>(&copies[i].value)) copies[i].value = lasting(*text);
  return {copies, attributes.size()};
}

// Drops the records at the end of the array that no backward pass can go through any more, and what they hold. A tape
// outside the training loop so stays as long as one step; a tape that is looked at keeps all.
void drop_ended(TapeState& tape) {
  tape.went_backward = false;
  if (tape.options.trace || tape.options.profile) return;
  const auto has_ended = [&](Edge edge) { return edge.needs_gradient() && tape.record(edge.record).ended; };
  std::vector<Record>& records = tape.records;
  size_t kept = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    Record& record = records[i];
    const bool alive = record.state == RecordState::alive;
    record.ended = record.state == RecordState::freed ||
                   (alive && std::any_of(record.inputs.begin(), record.inputs.end(), has_ended));
    if (alive && !record.ended) kept = i + 1;
  }
  if (kept == records.size()) return;
  const uint32_t next = tape.next_number();
  for (size_t i = kept; i < records.size(); ++i)
    if (const Tensor& leaf = records[i].leaf; leaf.defined()) note_leaf(tape.past_leaves, leaf);
  truncate(tape, kept);
  std::vector<Run>& runs = tape.runs;
  while (runs.back().position > kept) runs.pop_back();
  if (runs.back().position == kept) {
    runs.back().number = next;
    runs.back().arena->release();
  } else {
    auto arena = std::make_unique<std::pmr::monotonic_buffer_resource>(&tape.pool);
    runs.push_back({next, uint32_t(kept), std::move(arena)});
  }
}

}  // namespace

TapeState::TapeState() {
  using Arena = std::pmr::monotonic_buffer_resource;
  runs.push_back({0, 0, std::make_unique<Arena>(first_chunk, sizeof first_chunk, &pool)});
}

uint32_t TapeState::number_of(size_t position) const {
  auto run = runs.rbegin();
  while (position < run->position) ++run;
  return run->number + uint32_t(position) - run->position;
}

std::byte* record_memory(TapeState* tape, size_t bytes, size_t n_inputs, size_t n_outputs) {
  if (tape->went_backward && !this_thread.running_op) drop_ended(*tape);
  static_assert(alignof(Edge) <= alignof(OutputInfo) && sizeof(Edge) % alignof(OutputInfo) == 0);
  const size_t lists = n_inputs * sizeof(Edge) + n_outputs * sizeof(OutputInfo);
  return static_cast<std::byte*>(tape->arena().allocate(bytes + lists));
}

namespace {

Record& push(TapeState& tape, Record record) {
  if (tape.next_number() >= kConstantRecord)
    fail<AutogradError>("tape", "it has {} records, and no more fit. Hint: make the Tape inside the loop",
                        kConstantRecord);
  record.first_slot = std::exchange(tape.n_slots, tape.n_slots + uint32_t(record.outputs.size()));
  return tape.records.emplace_back(std::move(record));
}

// Gives a leaf to this tape, which has no record of it yet.
void claim(const char* op, TapeState& tape, const Tensor& x) {
  TensorImpl& leaf = *x.impl();
  Alive& all = alive();
  std::lock_guard lock(all.mutex);
  if (all.is_held_here(op, leaf)) tape.borrowed.push_back({x, tape_of(leaf), leaf.record});
  leaf.record = Edge::kNone;
  set_tape(leaf, tape.serial);
}

// Enters a record whose one output is x itself.
void push_own(TapeState& tape, const TensorImpl& x, Record record) {
  void* place = tape.arena().allocate(sizeof(OutputInfo), alignof(OutputInfo));
  record.outputs = {new (place) OutputInfo{x.shape, x.dtype}, 1};
  push(tape, std::move(record));
}

}  // namespace

Edge edge_of(TapeState& tape, const Tensor& x) {
  TensorImpl* impl = x.impl();
  if (impl && impl->requires_grad) {
    if (tape_of(*impl) != tape.serial) claim("tape", tape, x);
    if (impl->record >= kConstantRecord) {
      push_own(tape, *impl, {.operation = {"leaf"}, .state = RecordState::leaf, .leaf = x});
      impl->record = tape.next_number() - 1;
      impl->output = 0;
    }
  }
  if (!impl || tape_of(*impl) != tape.serial) return {Edge::kNone, 0};
  if (impl->record < kConstantRecord && tape.position_of(impl->record) == tape.records.size()) {
    const OperationView operation{.name = impl->op, .record = impl->record};
    push_own(tape, *impl, {.operation = operation, .state = RecordState::freed});
    return {tape.next_number() - 1, 0};
  }
  return {impl->record, impl->output};
}

TapeState* recording(const char* op, Inputs inputs) {
  Thread& thread = this_thread;
  TapeState* tape = thread.current;
  bool needed = false;
  for (size_t i = 0; tape && i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    const TensorImpl* impl = x.impl();
    if (!impl) continue;
    const uint64_t serial = tape_of(*impl);
    if (impl->requires_grad) {
      needed = true;
      if (serial != tape->serial) claim(op, *tape, x);
    } else if (serial != 0 && impl->record < kConstantRecord) {
      if (serial == tape->serial)
        needed = true;
      else if (is_alive(serial))
        fail<AutogradError>(op,
                            "input {} belongs to an outer tape that is still alive, its gradient would be lost here. "
                            "Hint: use detach() if it is meant as a value, or record both on one tape",
                            i);
    }
  }
  if (needed) return tape;
  thread.saved_bytes = 0;
  return nullptr;
}

void append(TapeState* tape, const char* op, std::span<Tensor> outputs, Inputs inputs, Attributes attributes, Vjp* vjp,
            std::byte* rest, bool has_gradient) {
  const size_t size_before = tape->records.size();
  Edge* edges = reinterpret_cast<Edge*>(rest);
  for (size_t i = 0; i < inputs.size(); ++i) edges[i] = edge_of(*tape, inputs[i]);
  auto* infos = reinterpret_cast<OutputInfo*>(edges + inputs.size());
  const uint32_t index = tape->next_number();
  Record& record = push(*tape, {.operation = {.name = op, .record = index, .has_gradient = has_gradient},
                                .state = vjp ? RecordState::alive : RecordState::constant,
                                .inputs = {edges, inputs.size()},
                                .outputs = {infos, outputs.size()},
                                .vjp = vjp,
                                .saved_bytes = std::exchange(this_thread.saved_bytes, 0)});
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor& y = outputs[i];
    // An operation that had nothing to do may return its input: the record needs a handle of its own.
    if (tape_of(*y.impl()) == tape->serial || y.impl()->requires_grad) y = y.detach();
    TensorImpl* impl = y.impl();
    // One by one: a pair of both would be made first and then loaded whole, which is slow (View in detail/tensor_impl.h).
    infos[i].shape = impl->shape;
    infos[i].dtype = impl->dtype;
    const bool takes_gradient = vjp && is_floating(impl->dtype);
    if (!takes_gradient && !tape->options.trace) continue;
    impl->record = takes_gradient ? index : index | kConstantRecord;
    impl->output = uint16_t(i);
    impl->op = op;
    set_tape(*impl, tape->serial);
  }
  if (tape->is_watched) [[unlikely]] {
    record.operation.attributes = kept(*tape, attributes);
    try {
      tell_forward(*tape, record.operation, inputs, outputs);
    } catch (...) {
      for (const Tensor& y : outputs) set_tape(*y.impl(), 0);
      truncate(*tape, size_before);
      throw;
    }
  }
}

void note(const char* op, std::span<Tensor> outputs, Inputs inputs, Attributes attributes, bool has_gradient) {
  TapeState& tape = *this_thread.watched;
  if (tape.options.trace && this_thread.current == &tape) {
    std::byte* place = record_memory(&tape, 0, inputs.size(), outputs.size());
    return append(&tape, op, outputs, inputs, attributes, nullptr, place, has_gradient);
  }
  const std::span<const Attribute> constants(attributes.begin(), attributes.size());
  tell_forward(tape, {.name = op, .attributes = constants, .has_gradient = has_gradient}, inputs, outputs);
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

void note_leaf(std::vector<Tensor>& leaves, const Tensor& leaf) {
  const auto is_leaf = [&](const Tensor& known) { return known.impl() == leaf.impl(); };
  if (std::none_of(leaves.begin(), leaves.end(), is_leaf)) leaves.push_back(leaf);
}

void truncate(TapeState& tape, size_t size) {
  for (; tape.records.size() > size; tape.records.pop_back()) {
    const Record& record = tape.records.back();
    if (record.state == RecordState::alive) std::destroy_at(record.vjp);
    if (record.leaf.defined() && tape_of(*record.leaf.impl()) == tape.serial) record.leaf.impl()->record = Edge::kNone;
    tape.n_slots = record.first_slot;
  }
}

TapeState* tape_that_made(const Tensor& x) {
  TapeState* tape = x.defined() ? this_thread.innermost : nullptr;
  while (tape && !is_on_tape(*x.impl(), tape->serial)) tape = tape->before.innermost;
  return tape;
}

}  // namespace detail

Saved::Saved(const Tensor& tensor) : tensor_(tensor) {
  if (!tensor.defined()) return;
  const detail::TensorImpl& impl = *tensor.impl();
  version_ = impl.storage->version;
  detail::this_thread.saved_bytes += size_t(impl.numel) * item_size(impl.dtype);
}

void Saved::changed() const {
  fail<AutogradError>(detail::this_thread.running_op ? detail::this_thread.running_op : "backward",
                      "the tensor {} that the forward pass saved was changed in place since (version {}, saved at {}). "
                      "Hint: go backward first, or change a clone()",
                      tensor_.shape(), tensor_.version(), version_);
}

Tensor custom_op(const std::string& name, const std::vector<Tensor>& inputs, const std::function<Tensor()>& forward,
                 std::function<Gradients(const Tensor& dy)> vjp) {
  const Tensor y = [&] {
    NoGrad no_grad;
    return forward();
  }();
  if (!y.defined()) fail<ValueError>(name, "the forward function returned an empty tensor");
  return record(detail::lasting(name), y, detail::InputList(inputs.begin(), inputs.end()), std::move(vjp));
}

Tape::Tape(TapeOptions options) {
  using namespace detail;
  state_ = unused.first ? std::exchange(unused.first, unused.first->next_unused) : new TapeState;
  state_->serial = alive().enter();
  std::vector<TapeObserver*>& observers = options.observers;
  if (options.profile) {
    state_->profile.restart();
    observers.push_back(&state_->profile);
  }
  if (options.check_finite) observers.push_back(&finite_check());
  state_->is_watched = options.trace || !observers.empty() || observer_of_every_tape.load();
  state_->options = std::move(options);
  state_->before = this_thread;
  this_thread.innermost = this_thread.current = state_;
  this_thread.watched = state_->is_watched ? state_ : nullptr;
}

Tape::~Tape() {
  using namespace detail;
  truncate(*state_, 0);
  for (; !state_->borrowed.empty(); state_->borrowed.pop_back()) {
    const auto& [leaf, tape, record] = state_->borrowed.back();
    if (tape_of(*leaf.impl()) != state_->serial) continue;
    leaf.impl()->record = record;
    set_tape(*leaf.impl(), tape);
  }
  state_->runs.resize(1);
  state_->runs[0].number = 0;
  state_->arena().release();
  state_->past_leaves.clear();
  state_->went_backward = false;
  alive().leave(state_->serial);
  this_thread = state_->before;
  state_->next_unused = std::exchange(unused.first, state_);
}

NoGrad::NoGrad() : before_(std::exchange(detail::this_thread.current, nullptr)) {}
NoGrad::~NoGrad() { detail::this_thread.current = before_; }

bool is_recording() { return detail::this_thread.current != nullptr; }

bool Tensor::is_recorded() const { return impl_ && !impl_->requires_grad && detail::tape_that_made(*this); }

bool reference_mode() {
  static const bool on = [] {
    const char* wish = std::getenv("TAPEGRAD_REFERENCE");
    return wish && *wish && std::string_view(wish) != "0";
  }();
  return on;
}

}  // namespace tapegrad
