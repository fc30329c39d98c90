#include <tapegrad/optim/plateau.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/fail.h"
#include "tensor/state_reader.h"

namespace tapegrad::optim {

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions options)
    : optimizer_(&optimizer), options_(options) {
  const char* name = "ReduceLROnPlateau";
  if (!(options.factor > 0 && options.factor < 1))
    fail<ValueError>(name, "factor must be in (0, 1), got {}", options.factor);
  if (options.patience < 0) fail<ValueError>(name, "patience must not be negative, got {}", options.patience);
  if (!(options.threshold >= 0))
    fail<ValueError>(name, "threshold must not be negative, got {}", options.threshold);
  if (options.cooldown < 0) fail<ValueError>(name, "cooldown must not be negative, got {}", options.cooldown);
  if (!(options.min_lr >= 0)) fail<ValueError>(name, "min_lr must not be negative, got {}", options.min_lr);
  const double infinity = std::numeric_limits<double>::infinity();
  best_ = options.better == Better::smaller ? infinity : -infinity;
}

bool ReduceLROnPlateau::improved(double metric) const {
  const bool smaller = options_.better == Better::smaller;
  if (std::isinf(best_)) return smaller ? metric < best_ : metric > best_;
  const double margin =
      options_.threshold_mode == Threshold::relative ? best_ * options_.threshold : options_.threshold;
  return smaller ? metric < best_ - margin : metric > best_ + margin;
}

bool ReduceLROnPlateau::step(double metric) {
  if (improved(metric)) {
    best_ = metric;
    bad_steps_ = 0;
  } else {
    ++bad_steps_;
  }
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    bad_steps_ = 0;
  }
  if (bad_steps_ <= options_.patience) return false;
  bad_steps_ = 0;
  cooldown_left_ = options_.cooldown;
  bool reduced = false;
  for (size_t group = 0; group < optimizer_->groups(); ++group) {
    const double before = optimizer_->lr(group), after = std::max(before * options_.factor, options_.min_lr);
    if (before - after <= 1e-8) continue;
    optimizer_->set_group_lr(group, after);
    reduced = true;
  }
  return reduced;
}

StateDict ReduceLROnPlateau::state_dict() const {
  return {{"best", numbers({best_})},
          {"bad_steps", integers({bad_steps_})},
          {"cooldown_left", integers({cooldown_left_})}};
}

void ReduceLROnPlateau::load_state_dict(const StateDict& state) {
  StateReader reader("ReduceLROnPlateau", state);
  const Tensor best = reader.take("best", {1}, float64);
  const int64_t bad_steps = reader.counts("bad_steps")[0], cooldown = reader.counts("cooldown_left")[0];
  reader.finish();
  best_ = best.item();
  bad_steps_ = bad_steps;
  cooldown_left_ = cooldown;
}

}  // namespace tapegrad::optim
