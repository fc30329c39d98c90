#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

/// Whether a metric is better when it is smaller (a loss) or larger (an accuracy).
enum class Better { smaller, larger };
/// Whether the threshold is a share of the best value or an amount.
enum class Threshold { relative, absolute };

struct ReduceLROnPlateauOptions {
  Better better = Better::smaller;
  double factor = 0.1;      ///< in (0, 1)
  int64_t patience = 10;    ///< calls without improvement that are let pass, >= 0
  double threshold = 1e-4;  ///< by which a value must beat the best one, >= 0
  Threshold threshold_mode = Threshold::relative;
  int64_t cooldown = 0;  ///< calls after a reduction that do not count, >= 0
  double min_lr = 0;     ///< >= 0
};

/// Multiplies the learning rate by `factor` when a metric has not improved for more than `patience` calls.
///
///     better = smaller, relative:   improved when metric < best * (1 - threshold)
///     better = smaller, absolute:   improved when metric < best - threshold
///     better = larger:              metric > best * (1 + threshold), best + threshold
///
/// **Throws** ValueError for an option outside its range.
///
/// A metric of NaN is never an improvement. As in PyTorch, a rate moves only if it changes by more than 1e-8.
class ReduceLROnPlateau : public Stateful {
 public:
  explicit ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions options = {});

  /// Returns whether the rate was reduced.
  bool step(double metric);

  /// "best", "bad_steps" and "cooldown_left"; the rate itself is in the optimizer's.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  bool improved(double metric) const;

  Optimizer* optimizer_;
  ReduceLROnPlateauOptions options_;
  double best_;
  int64_t bad_steps_ = 0, cooldown_left_ = 0;
};

}  // namespace tapegrad::optim
