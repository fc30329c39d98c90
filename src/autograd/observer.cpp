// Telling the observers of a tape.
#include <atomic>

#include "autograd/state.h"

namespace tapegrad {

void TapeObserver::on_forward(const OperationView&, const Tensors&, const Tensors&) {}
void TapeObserver::on_loss(const Tensor&) {}
void TapeObserver::on_backward(const OperationView&, const Tensors&, const Tensors&) {}
void TapeObserver::on_leaf(const Tensor&, const Tensor&) {}

namespace detail {

namespace {

std::atomic<TapeObserver*> everywhere = nullptr;

// What an observer computes is neither recorded nor told.
template <class F>
void tell(const TapeState& tape, F f) {
  const RecordOn nothing(nullptr);
  for (TapeObserver* observer : tape.options.observers) f(*observer);
}

// While a backward pass is recorded, an observer gets plain values: should one throw, the tape drops these
// records, and nobody may be left with a tensor that points to them.
Tensor handle(const Tensor& x) {
  return this_thread.running_op && x.defined() && !x.requires_grad() ? x.detach() : x;
}
template <class List>
Tensors handles(const List& tensors) {
  Tensors out;
  for (const Tensor& x : tensors) out.push_back(handle(x));
  return out;
}

}  // namespace

void observe_every_tape(TapeObserver* observer) {
  everywhere = observer;
}

void attach_observers(TapeState& tape) {
  TapeOptions& options = tape.options;
  if (options.profile) {
    tape.profile.restart();
    options.observers.push_back(&tape.profile);
  }
  if (options.check_finite) options.observers.push_back(&finite_check());
  tape.is_watched = options.trace || !options.observers.empty() || everywhere.load(std::memory_order_relaxed);
}

std::span<const Attribute> keep_attributes(TapeState& tape, Attributes attributes) {
  static_assert(std::is_trivially_destructible_v<Attribute>);
  auto* kept = static_cast<Attribute*>(tape.arena.allocate(attributes.size() * sizeof(Attribute)));
  std::uninitialized_copy(attributes.begin(), attributes.end(), kept);
  for (size_t i = 0; i < attributes.size(); ++i)
    if (const auto* text = std::get_if<std::string_view>(&kept[i].value)) kept[i].value = lasting(*text);
  return {kept, attributes.size()};
}

OperationView view_of(const Record& record, int64_t index) {
  return {.name = record.op,
          .record = index,
          .attributes = record.attributes,
          .has_gradient = record.has_gradient,
          .step = record.step,
          .path = record.path};
}

void tell_forward(TapeState& tape, const OperationView& operation, Inputs inputs,
                  std::span<const Tensor> outputs) {
  const Tensors in = handles(inputs), out = handles(outputs);
  const auto on_forward = [&](TapeObserver& observer) { observer.on_forward(operation, in, out); };
  tell(tape, on_forward);
  if (TapeObserver* observer = everywhere) on_forward(*observer);
}

void tell_loss(TapeState& tape, const Tensor& loss) {
  tell(tape, [&](TapeObserver& observer) { observer.on_loss(loss); });
}

void tell_backward(TapeState& tape, size_t record, const Tensors& dy, const Tensors& dx) {
  const OperationView view = view_of(tape.records[record], int64_t(record));
  const Tensors from = handles(dy), to = handles(dx);
  tell(tape, [&](TapeObserver& observer) { observer.on_backward(view, from, to); });
}

void tell_leaf(TapeState& tape, const Tensor& leaf, const Tensor& gradient) {
  tell(tape, [&](TapeObserver& observer) { observer.on_leaf(leaf, gradient); });
}

}  // namespace detail

}  // namespace tapegrad
