// Telling the observers of a tape.
#include "autograd/state.h"

namespace tapegrad {

void TapeObserver::on_forward(const OperationView&, const Tensors&, const Tensors&) {}
void TapeObserver::on_loss(const Tensor&) {}
void TapeObserver::on_backward(const OperationView&, const Tensors&, const Tensors&) {}
void TapeObserver::on_leaf(const Tensor&, const Tensor&) {}

namespace detail {

std::atomic<TapeObserver*> observer_of_every_tape = nullptr;

namespace {

// While a backward pass is recorded, an observer gets plain values: should one throw, the tape drops these
// records, and nobody may be left with a tensor that points to them.
Tensor handle(const Tensor& x) { return this_thread.running_op && x.defined() && !x.requires_grad() ? x.detach() : x; }
template <class List>
Tensors handles(const List& tensors) {
  Tensors out;
  for (const Tensor& x : tensors) out.push_back(handle(x));
  return out;
}

}  // namespace

void tell_forward(TapeState& tape, const OperationView& operation, Inputs inputs, std::span<const Tensor> outputs) {
  const Tensors in = handles(inputs), out = handles(outputs);
  const auto on_forward = [&](TapeObserver& observer) { observer.on_forward(operation, in, out); };
  tell(tape, on_forward);
  if (TapeObserver* observer = observer_of_every_tape) on_forward(*observer);
}

void tell_backward(TapeState& tape, const OperationView& operation, const Tensors& dy, const Tensors& dx) {
  const Tensors from = handles(dy), to = handles(dx);
  tell(tape, [&](TapeObserver& observer) { observer.on_backward(operation, from, to); });
}

}  // namespace detail

}  // namespace tapegrad
