// The observers that come with the tape, and how it tells all of them.
#pragma once
#include <tapegrad/observer.h>
#include <tapegrad/record.h>

#include <chrono>

namespace tapegrad::detail {

struct Record;

/// TapeOptions::check_finite: throws AutogradError at the first value that is not finite though what it was
/// made from is.
TapeObserver& finite_check();

/// TapeOptions::profile: the time of each record, from the one before it.
class Profile : public TapeObserver {
 public:
  struct Times {
    double forward_ms = 0, backward_ms = 0;
  };
  Times operator[](size_t record) const { return record < times_.size() ? times_[record] : Times(); }
  void restart() {
    times_.clear();
    lap();
  }
  void on_forward(const OperationView& operation, const Tensors&, const Tensors&) override {
    if (operation.record >= 0) of(operation).forward_ms = lap();
  }
  void on_loss(const Tensor&) override { lap(); }
  void on_backward(const OperationView& operation, const Tensors&, const Tensors&) override {
    of(operation).backward_ms += lap();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Times& of(const OperationView& operation) {
    times_.resize(std::max(times_.size(), size_t(operation.record) + 1));
    return times_[size_t(operation.record)];
  }
  /// Milliseconds since the call before.
  double lap() {
    const Clock::time_point before = std::exchange(last_, Clock::now());
    return std::chrono::duration<double, std::milli>(last_ - before).count();
  }
  std::vector<Times> times_;
  Clock::time_point last_;
};

/// Adds the built-in observers that the tape's options ask for, and notes whether anybody watches.
void attach_observers(TapeState& tape);
/// The attributes, copied to the tape's memory.
std::span<const Attribute> keep_attributes(TapeState& tape, Attributes attributes);
OperationView view_of(const Record& record, int64_t index);

void tell_forward(TapeState& tape, const OperationView& operation, Inputs inputs,
                  std::span<const Tensor> outputs);
void tell_loss(TapeState& tape, const Tensor& loss);
void tell_backward(TapeState& tape, size_t record, const Tensors& dy, const Tensors& dx);
void tell_leaf(TapeState& tape, const Tensor& leaf, const Tensor& gradient);

/// Told of the operations on every tape of every thread, but not of backward passes; null for none. For tests.
void observe_every_tape(TapeObserver* observer);

}  // namespace tapegrad::detail
