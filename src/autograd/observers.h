// The observers that come with the tape, and how it tells all of them.
#pragma once
#include <tapegrad/observer.h>
#include <tapegrad/record.h>

namespace tapegrad::detail {

struct Record;

/// TapeOptions::check_finite: throws AutogradError at the first value that is not finite though what it was
/// made from is.
class FiniteCheck : public TapeObserver {
 public:
  void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) override;
  void on_loss(const Tensor& loss) override;
  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) override;
};

/// TapeOptions::profile: the time of each record, from the one before it.
class Profile : public TapeObserver {
 public:
  void restart();
  void on_forward(const OperationView& operation, const Tensors&, const Tensors&) override;
  void on_loss(const Tensor&) override;
  void on_backward(const OperationView& operation, const Tensors&, const Tensors&) override;

  double forward_ms(size_t record) const { return record < times_.size() ? times_[record].forward_ms : 0; }
  double backward_ms(size_t record) const { return record < times_.size() ? times_[record].backward_ms : 0; }

 private:
  struct Times {
    double forward_ms = 0, backward_ms = 0;
  };
  Times& of(const OperationView& operation);
  double lap();
  std::vector<Times> times_;
  double last_ = 0;
};

/// Adds the built-in observers that the tape's options ask for, and notes whether anybody watches.
void attach_observers(TapeState& tape);
/// Copies the attributes to the tape's memory.
void keep_attributes(TapeState& tape, Record& record, Attributes attributes);
OperationView view_of(const TapeState& tape, size_t record);

void tell_forward(TapeState& tape, const OperationView& operation, Inputs inputs,
                  std::span<const Tensor> outputs);
void tell_loss(TapeState& tape, const Tensor& loss);
void tell_backward(TapeState& tape, size_t record, const Tensors& dy, const Tensors& dx);
void tell_leaf(TapeState& tape, const Tensor& leaf, const Tensor& gradient);

/// Told of the operations on every tape of every thread, but not of backward passes; null for none. For tests.
void observe_every_tape(TapeObserver* observer);

}  // namespace tapegrad::detail
