#pragma once
#include <cstdint>

#include <tapegrad/optim/plateau.h>
#include <tapegrad/state.h>

namespace tapegrad::train {

struct EarlyStoppingOptions {
  optim::Better better = optim::Better::smaller;  ///< a loss; larger for an accuracy
  int64_t patience = 10;                          ///< values in a row without improvement that end the run, >= 1
  double min_delta = 0;                           ///< by which a value must beat the best one, >= 0
};

/// Tells when a metric has stopped to improve.
///
///     train::EarlyStopping stopping({.patience = 5});
///     for (int epoch = 0; epoch < 100; ++epoch) {
///       ...
///       if (stopping.step(held_back_loss)) break;
///     }
///
/// A metric of NaN is never an improvement.
class EarlyStopping : public Stateful {
 public:
  /// **Throws** ValueError for an option outside its range.
  explicit EarlyStopping(EarlyStoppingOptions options = {});

  /// One value more. Returns whether to stop: the last `patience` values were no improvement.
  bool step(double metric);
  /// The best value so far; infinite before the first.
  double best() const { return best_; }
  /// Values since the best one.
  int64_t bad_steps() const { return bad_steps_; }

  /// "best" and "bad_steps".
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  EarlyStoppingOptions options_;
  double best_;
  int64_t bad_steps_ = 0;
};

}  // namespace tapegrad::train
