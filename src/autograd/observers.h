// The observers that come with the tape, and how it tells all of them.
#pragma once
#include <tapegrad/observer.h>
#include <tapegrad/record.h>

#include <atomic>
#include <chrono>

namespace tapegrad::detail {

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

void tell_forward(TapeState& tape, const OperationView& operation, Inputs inputs, std::span<const Tensor> outputs);
void tell_backward(TapeState& tape, const OperationView& operation, const Tensors& dy, const Tensors& dx);

/// Told of the operations on every tape of every thread, but not of backward passes; null for none. For tests.
extern std::atomic<TapeObserver*> observer_of_every_tape;

}  // namespace tapegrad::detail
