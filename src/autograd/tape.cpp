// The tape's life and its records: begin, append, end. The loop backward is in backward.cpp.
#include <tapegrad/tape.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "autograd/state.h"
#include "core/fail.h"

namespace tapegrad {

namespace detail {

thread_local TapeState* current_tape = nullptr;
thread_local TapeState* innermost_tape = nullptr;
thread_local const char* running_op = nullptr;
thread_local bool checking_finite = false;

namespace {

// Bytes that Saved objects have taken since the last record; the next record is theirs.
thread_local size_t saved_bytes = 0;

// Serials of the tapes alive on all threads. Few, so a scan finds one.
struct Alive {
  std::mutex mutex;
  std::vector<uint64_t> serials;
  uint64_t last = 0;
};
Alive& alive() {
  static Alive& all = *new Alive;
  return all;
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

double now_ms() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

bool is_alive(uint64_t serial) {
  Alive& all = alive();
  std::lock_guard lock(all.mutex);
  return std::find(all.serials.begin(), all.serials.end(), serial) != all.serials.end();
}

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

template <class T>
void FlatArray<T>::grow() {
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

void* vjp_memory(TapeState* tape, size_t bytes, size_t align) {
  return tape->arena.take(bytes, align);
}

namespace {

void describe(OutputInfo& info, const Tensor& x) {
  const Shape& shape = x.impl()->shape;
  info.dtype = x.impl()->dtype;
  info.rank = int32_t(shape.size());
  for (int64_t i = 0; i < shape.size(); ++i) info.sizes[i] = shape[i];
}

OutputInfo* describe_all(TapeState& tape, std::span<const Tensor> outputs) {
  auto* infos =
      static_cast<OutputInfo*>(tape.arena.take(outputs.size() * sizeof(OutputInfo), alignof(OutputInfo)));
  for (size_t i = 0; i < outputs.size(); ++i) describe(infos[i], outputs[i]);
  return infos;
}

Record& new_record(TapeState& tape, const char* op, size_t n_outputs) {
  Record& record = tape.records.push();
  record.op = op;
  record.path = current_path();
  record.step = int32_t(current_step());
  record.first_slot = tape.n_slots;
  record.n_outputs = uint16_t(n_outputs);
  record.forward_ms = record.backward_ms = 0;
  tape.n_slots += uint32_t(n_outputs);
  return record;
}

}  // namespace

Edge edge_of(TapeState& tape, const Tensor& x) {
  TensorImpl* impl = x.impl();
  if (!impl) return {Edge::kNone, 0};
  if (impl->tape == tape.serial) return {impl->record, impl->output};
  if (!impl->requires_grad) return {Edge::kNone, 0};
  OutputInfo* info = describe_all(tape, std::span(&x, 1));
  const uint32_t index = uint32_t(tape.records.size());
  Record& record = new_record(tape, "leaf", 1);
  record.n_inputs = 0;
  record.state = RecordState::leaf;
  record.inputs = nullptr;
  record.outputs = info;
  record.vjp = nullptr;
  record.leaf = impl;
  record.saved_bytes = 0;
  impl->refs.add();
  impl->tape = tape.serial;
  impl->record = index;
  impl->output = 0;
  return {index, 0};
}

TapeState* recording(const char* op, Inputs inputs) {
  TapeState* tape = current_tape;
  if (!tape) {
    saved_bytes = 0;
    return nullptr;
  }
  bool needed = false;
  for (size_t i = 0; i < inputs.count; ++i) {
    const TensorImpl* impl = inputs.first[i].tensor->impl();
    if (!impl) continue;
    if (impl->tape == tape->serial || impl->requires_grad)
      needed = true;
    else if (impl->tape != 0 && is_alive(impl->tape))
      fail<AutogradError>(
          op,
          "input {} belongs to an outer tape that is still alive, its gradient would be lost here. "
          "Hint: use detach() if it is meant as a value, or record both on one tape",
          i);
  }
  if (needed) return tape;
  saved_bytes = 0;
  return nullptr;
}

void append(TapeState* tape, const char* op, std::span<Tensor> outputs, Inputs inputs, Attributes, Vjp* vjp) {
  auto* edges = static_cast<Edge*>(tape->arena.take(inputs.count * sizeof(Edge), alignof(Edge)));
  for (size_t i = 0; i < inputs.count; ++i) edges[i] = edge_of(*tape, *inputs.first[i].tensor);
  // An operation that had nothing to do may return its input: the record needs a handle of its own.
  for (Tensor& y : outputs)
    if (y.impl()->tape == tape->serial || y.impl()->requires_grad) y = y.detach();
  OutputInfo* infos = describe_all(*tape, outputs);
  const uint32_t index = uint32_t(tape->records.size());
  Record& record = new_record(*tape, op, outputs.size());
  record.n_inputs = uint16_t(inputs.count);
  record.state = RecordState::alive;
  record.inputs = edges;
  record.outputs = infos;
  record.vjp = vjp;
  record.leaf = nullptr;
  record.saved_bytes = std::exchange(saved_bytes, 0);
  for (size_t i = 0; i < outputs.size(); ++i) {
    TensorImpl* impl = outputs[i].impl();
    if (!is_floating(impl->dtype)) continue;
    impl->tape = tape->serial;
    impl->record = index;
    impl->output = uint16_t(i);
  }
  if (tape->options.profile) {
    const double now = now_ms();
    record.forward_ms = now - tape->last_time;
    tape->last_time = now;
  }
}

void check_finite(const char* op, std::span<const Tensor> outputs, Inputs inputs) {
  bool finite = true;
  for (const Tensor& y : outputs) finite = finite && all_finite(y);
  if (finite) return;
  std::string ranges;
  for (size_t i = 0; i < inputs.count; ++i) {
    const Tensor& x = *inputs.first[i].tensor;
    if (!x.defined()) continue;
    if (!all_finite(x)) return;  // made elsewhere: whoever made it is named, not who passes it on
    if (!ranges.empty()) ranges += ", ";
    ranges += fmt::format("input {} {} in {}", i, x.shape(), range_text(x));
  }
  const std::string step = current_step() < 0 ? "" : fmt::format(" at time step {}", current_step());
  fail<AutogradError>(op, "made a value that is not finite{} from finite inputs: {}", step, ranges);
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
  version_ = tensor.version();
  detail::saved_bytes += size_t(tensor.numel()) * item_size(tensor.dtype());
}

void Saved::changed() const {
  fail<AutogradError>(
      detail::running_op ? detail::running_op : "backward",
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
  Alive& all = alive();
  {
    std::lock_guard lock(all.mutex);
    state_->serial = ++all.last;
    all.serials.push_back(state_->serial);
  }
  state_->options = options;
  state_->outer = innermost_tape;
  state_->was_current = current_tape;
  state_->n_slots = 0;
  state_->last_time = options.profile ? now_ms() : 0;
  innermost_tape = current_tape = state_;
  checking_finite = options.check_finite;
}

Tape::~Tape() {
  using namespace detail;
  for (size_t i = state_->records.size(); i-- > 0;) {
    Record& record = state_->records[i];
    if (record.state == RecordState::alive) record.vjp->destroy(record.vjp);
    if (record.leaf) Ref<TensorImpl>::adopt(record.leaf);
  }
  state_->records.clear();
  state_->arena.rewind();
  Alive& all = alive();
  {
    std::lock_guard lock(all.mutex);
    std::erase(all.serials, state_->serial);
  }
  innermost_tape = state_->outer;
  current_tape = state_->was_current;
  checking_finite = current_tape && current_tape->options.check_finite;
  state_->next_unused = unused.first;
  unused.first = state_;
}

NoGrad::NoGrad() : before_(std::exchange(detail::current_tape, nullptr)) {}
NoGrad::~NoGrad() {
  detail::current_tape = before_;
}

bool is_recording() {
  return detail::current_tape != nullptr;
}

bool Tensor::is_recorded() const {
  const uint64_t serial = impl_ ? impl_->tape : 0;
  if (serial == 0 || impl_->requires_grad) return false;
  for (detail::TapeState* tape = detail::innermost_tape; tape; tape = tape->outer)
    if (tape->serial == serial) return true;
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
