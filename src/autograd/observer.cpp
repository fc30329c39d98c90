// Telling the observers of a tape.
#include <tapegrad/observer.h>

#include <atomic>

#include "autograd/state.h"

namespace tapegrad {

std::string OperationView::module() const {
  return path_text(path);
}

void TapeObserver::on_forward(const OperationView&, const Tensors&, const Tensors&) {}
void TapeObserver::on_loss(const Tensor&) {}
void TapeObserver::on_backward(const OperationView&, const Tensors&, const Tensors&) {}
void TapeObserver::on_leaf(const Tensor&, const Tensor&) {}

namespace detail {

namespace {

std::atomic<TapeObserver*> everywhere = nullptr;

// While it lives, an observer runs: what it computes is neither recorded nor told.
class Aside {
 public:
  Aside() : thread_(this_thread), watched_(std::exchange(watched_tape, nullptr)) {
    this_thread.current = nullptr;
  }
  ~Aside() {
    this_thread = thread_;
    watched_tape = watched_;
  }

 private:
  Thread thread_;
  TapeState* watched_;
};

template <class F>
void tell(const TapeState& tape, F f) {
  const Aside aside;
  for (TapeObserver* observer : tape.options.observers) f(*observer);
}

// While a backward pass is recorded, an observer gets plain values: should one throw, the tape drops these
// records, and nobody may be left with a tensor that points to them.
Tensor handle(const Tensor& x) {
  return this_thread.running_op && x.defined() && !x.requires_grad() ? x.detach() : x;
}
Tensors handles(const Tensors& tensors) {
  Tensors out;
  for (const Tensor& x : tensors) out.push_back(handle(x));
  return out;
}

}  // namespace

void observe_every_tape(TapeObserver* observer) {
  everywhere = observer;
}

void attach_observers(TapeState& tape) {
  static FiniteCheck& finite = *new FiniteCheck;
  TapeOptions& options = tape.options;
  if (options.profile) {
    tape.profile.restart();
    options.observers.push_back(&tape.profile);
  }
  if (options.check_finite) options.observers.push_back(&finite);
  tape.is_watched = options.trace || !options.observers.empty() || everywhere.load(std::memory_order_relaxed);
}

void keep_attributes(TapeState& tape, Record& record, Attributes attributes) {
  if (attributes.count == 0) return;
  auto* kept =
      static_cast<Attribute*>(tape.arena.take(attributes.count * sizeof(Attribute), alignof(Attribute)));
  static_assert(std::is_trivially_destructible_v<Attribute>);
  for (size_t i = 0; i < attributes.count; ++i) {
    new (kept + i) Attribute(attributes.first[i]);
    if (const auto* text = std::get_if<std::string_view>(&kept[i].value)) kept[i].value = lasting(*text);
  }
  record.attributes = kept;
  record.n_attributes = uint8_t(attributes.count);
}

OperationView view_of(const TapeState& tape, size_t index) {
  const Record& record = tape.records[index];
  return {.name = record.op,
          .record = int64_t(index),
          .attributes = {record.attributes, record.n_attributes},
          .has_gradient = record.has_gradient,
          .step = record.step,
          .path = record.path};
}

void tell_forward(TapeState& tape, const OperationView& operation, Inputs inputs,
                  std::span<const Tensor> outputs) {
  Tensors in, out;
  for (size_t i = 0; i < inputs.count; ++i) in.push_back(handle(*inputs.first[i].tensor));
  for (const Tensor& y : outputs) out.push_back(handle(y));
  const auto on_forward = [&](TapeObserver& observer) { observer.on_forward(operation, in, out); };
  tell(tape, on_forward);
  if (TapeObserver* observer = everywhere) on_forward(*observer);
}

void tell_loss(TapeState& tape, const Tensor& loss) {
  tell(tape, [&](TapeObserver& observer) { observer.on_loss(loss); });
}

void tell_backward(TapeState& tape, size_t record, const Tensors& dy, const Tensors& dx) {
  const OperationView view = view_of(tape, record);
  const Tensors from = handles(dy), to = handles(dx);
  tell(tape, [&](TapeObserver& observer) { observer.on_backward(view, from, to); });
}

void tell_leaf(TapeState& tape, const Tensor& leaf, const Tensor& gradient) {
  tell(tape, [&](TapeObserver& observer) { observer.on_leaf(leaf, gradient); });
}

}  // namespace detail

}  // namespace tapegrad
