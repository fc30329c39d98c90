#include <tapegrad/train/early_stopping.h>

#include <cmath>
#include <limits>

#include "core/fail.h"
#include "tensor/state_reader.h"

namespace tapegrad::train {

EarlyStopping::EarlyStopping(EarlyStoppingOptions options)
    : options_(options),
      best_(std::numeric_limits<double>::infinity() * (options.better == optim::Better::smaller ? 1 : -1)) {
  if (options.patience < 1) fail<ValueError>("EarlyStopping", "patience must be at least 1, got {}", options.patience);
  if (!(options.min_delta >= 0) || std::isinf(options.min_delta))
    fail<ValueError>("EarlyStopping", "min_delta must be finite and not negative, got {}", options.min_delta);
}

bool EarlyStopping::step(double metric) {
  const bool improved = options_.better == optim::Better::smaller ? metric < best_ - options_.min_delta
                                                                  : metric > best_ + options_.min_delta;
  if (improved) best_ = metric;
  bad_steps_ = improved ? 0 : bad_steps_ + 1;
  return bad_steps_ >= options_.patience;
}

StateDict EarlyStopping::state_dict() const {
  return {{"best", numbers({best_})}, {"bad_steps", integers({bad_steps_})}};
}

void EarlyStopping::load_state_dict(const StateDict& state) {
  StateReader reader("EarlyStopping", state);
  const Tensor best = reader.take("best", {1}, float64);
  const int64_t bad_steps = reader.counts("bad_steps")[0];
  reader.finish();
  best_ = best.item();
  bad_steps_ = bad_steps;
}

}  // namespace tapegrad::train
