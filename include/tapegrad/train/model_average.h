#pragma once
#include <cstdint>
#include <optional>

#include <tapegrad/nn/module.h>
#include <tapegrad/state.h>

namespace tapegrad::train {

struct ModelAverageOptions {
  /// Of an exponential moving average, in [0, 1]: 0.999 looks back over about 1,000 updates. Unset: all updates count alike.
  std::optional<double> decay = {};
};

/// Averages of a model's parameters over training, in a second model that is evaluated and saved in place of the first.
///
///     Net smooth = model.clone();
///     train::ModelAverage average(model, smooth, {.decay = 0.999});
///     ...
///     optimizer.step();
///     average.update();
///
///     first update:    a = p
///     EMA:             a = a + (1 - decay) (p - a)
///     equal weights:   a = a + (p - a) / (n + 1)      after n updates: stochastic weight averaging
///
/// Buffers are copied, as PyTorch's AveragedModel does. The statistics of a batch norm are then those of the other weights:
/// run a few hundred batches through the second model in training mode, with no tape, before it is evaluated.
///
/// **Source**: Polyak and Juditsky 1992, "Acceleration of stochastic approximation by averaging"; Izmailov et al. 2018,
/// "Averaging weights leads to wider optima and better generalization", arXiv:1803.05407.
class ModelAverage : public Stateful {
 public:
  /// **Throws** ValueError unless decay is in [0, 1], and the models have the same parameters and buffers by name, shape and
  /// dtype and share none.
  ModelAverage(const nn::ModuleBase& model, const nn::ModuleBase& average, ModelAverageOptions options = {});

  /// Takes in the parameters as they are now. Nothing is recorded.
  void update();
  int64_t updates() const { return updates_; }

  /// "updates", and the second model's state as "average.NAME".
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  nn::ModuleBase model_, average_;
  ModelAverageOptions options_;
  int64_t updates_ = 0;
};

}  // namespace tapegrad::train
