#include <tapegrad/optim/plateau.h>
#include <tapegrad/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "optim/require.h"
#include "tensor/state_reader.h"

namespace tapegrad::optim {

namespace {

// From `from` at share 0 to `to` at share 1, along half a cosine.
double half_cosine(double from, double to, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

}  // namespace

Schedule::Schedule(Optimizer& optimizer) : optimizer_(&optimizer) {
  for (size_t group = 0; group < optimizer.groups(); ++group) base_.push_back(optimizer.lr(group));
}

void Schedule::apply() {
  for (size_t group = 0; group < base_.size(); ++group) optimizer_->set_group_lr(group, lr_at(steps_, base_[group]));
}

void Schedule::step() {
  for (size_t group = 0; group < base_.size(); ++group) {
    const double now = optimizer_->lr(group), mine = lr_at(steps_, base_[group]);
    if (std::abs(now - mine) > 1e-9 * mine)
      fail<ValueError>("schedule",
                       "step: the rate of group {} is {}, where this schedule had set {}: another schedule or "
                       "set_lr() changed it. Hint: join schedules in a SequentialLR or ChainedScheduler, make one "
                       "anew after set_lr(), and load its state with the optimizer's",
                       group, now, mine);
  }
  ++steps_;
  apply();
}

StateDict Schedule::state_dict() const { return {{"step", integers({steps_})}, {"base_lr", numbers(base_)}}; }

void Schedule::load_state_dict(const StateDict& state) {
  StateReader reader("schedule", state);
  const int64_t steps = reader.counts("step")[0];
  std::vector<double> base = reader.rates("base_lr", base_.size());
  reader.finish();
  for (double rate : base)
    if (const double lr = lr_at(steps, rate); !(lr >= 0) || std::isinf(lr))
      fail<ValueError>("schedule",
                       "load_state_dict: after step {} a group of rate {} would have {}, which must be finite "
                       "and not negative",
                       steps, rate, lr);
  steps_ = steps;
  base_ = std::move(base);
  apply();
}

void StepLROptions::check() const {
  require(step_size >= 1, "StepLR", "step_size must be at least 1", step_size);
  require(gamma > 0, "StepLR", "gamma must be positive", gamma);
}
double StepLROptions::lr_at(int64_t t, double base) const { return base * std::pow(gamma, double(t / step_size)); }

void MultiStepLROptions::check() const {
  for (int64_t milestone : milestones)
    require(milestone >= 0, "MultiStepLR", "milestones must not be negative", milestone);
  require(gamma > 0, "MultiStepLR", "gamma must be positive", gamma);
}
double MultiStepLROptions::lr_at(int64_t t, double base) const {
  const auto passed =
      std::count_if(milestones.begin(), milestones.end(), [t](int64_t milestone) { return milestone <= t; });
  return base * std::pow(gamma, passed);
}

void ExponentialLROptions::check() const { require(gamma > 0, "ExponentialLR", "gamma must be positive", gamma); }
double ExponentialLROptions::lr_at(int64_t t, double base) const { return base * std::pow(gamma, t); }

void CosineAnnealingLROptions::check() const {
  require(T_max >= 1, "CosineAnnealingLR", "T_max must be at least 1", T_max);
  require(eta_min >= 0, "CosineAnnealingLR", "eta_min must not be negative", eta_min);
}
double CosineAnnealingLROptions::lr_at(int64_t t, double base) const {
  return half_cosine(base, eta_min, double(t) / T_max);
}

void LinearLROptions::check() const {
  require(start_factor > 0 && start_factor <= 1, "LinearLR", "start_factor must be in (0, 1]", start_factor);
  require(end_factor >= 0 && end_factor <= 1, "LinearLR", "end_factor must be in [0, 1]", end_factor);
  require(total_iters >= 1, "LinearLR", "total_iters must be at least 1", total_iters);
}
double LinearLROptions::lr_at(int64_t t, double base) const {
  const double share = std::min(double(t) / double(total_iters), 1.0);
  return base * (start_factor + (end_factor - start_factor) * share);
}

void OneCycleLROptions::check() const {
  require(max_lr > 0, "OneCycleLR", "max_lr must be positive", max_lr);
  require(total_steps >= 1, "OneCycleLR", "total_steps must be at least 1", total_steps);
  require(pct_start >= 0 && pct_start <= 1, "OneCycleLR", "pct_start must be in [0, 1]", pct_start);
  require(div_factor > 0, "OneCycleLR", "div_factor must be positive", div_factor);
  require(final_div_factor > 0, "OneCycleLR", "final_div_factor must be positive", final_div_factor);
}
double OneCycleLROptions::lr_at(int64_t t, double) const {
  const double first = max_lr / div_factor, last = first / final_div_factor;
  const double top = pct_start * double(total_steps) - 1, end = double(total_steps - 1);
  const auto between = [&](double from, double to, double share) {
    return anneal == Anneal::cos ? half_cosine(from, to, share) : from + (to - from) * share;
  };
  const double now = double(t);
  if (now >= end && end > top) return last;
  if (now >= end) return max_lr;  // pct_start = 1: it never falls
  if (now <= top) return between(first, max_lr, top > 0 ? now / top : 1);
  return between(max_lr, last, (now - std::max(top, 0.0)) / (end - std::max(top, 0.0)));
}

void WarmupCosineLROptions::check() const {
  require(warmup_steps >= 0, "WarmupCosineLR", "warmup_steps must not be negative", warmup_steps);
  require(total_steps > warmup_steps, "WarmupCosineLR", "total_steps must be larger than warmup_steps", total_steps);
  require(eta_min >= 0, "WarmupCosineLR", "eta_min must not be negative", eta_min);
}
double WarmupCosineLROptions::lr_at(int64_t t, double base) const {
  const double warmup = double(warmup_steps), total = double(total_steps);
  if (t < warmup_steps) return base * double(t + 1) / warmup;
  return half_cosine(base, eta_min, std::min((double(t) - warmup) / (total - warmup), 1.0));
}

void LambdaLROptions::check() const {
  if (!lr_lambda) fail<ValueError>("LambdaLR", "lr_lambda must be given");
}

void SequentialLROptions::check() const {
  if (schedules.empty() || milestones.size() + 1 != schedules.size())
    fail<ValueError>("SequentialLR", "schedules must be one more than milestones, got {} and {}", schedules.size(),
                     milestones.size());
  for (size_t i = 0; i < milestones.size(); ++i)
    require(milestones[i] > (i > 0 ? milestones[i - 1] : 0), "SequentialLR", "milestones must be positive and increase",
            double(milestones[i]));
}
double SequentialLROptions::lr_at(int64_t t, double base) const {
  size_t i = 0;
  while (i < milestones.size() && milestones[i] <= t) ++i;
  return schedules[i].lr_at(i > 0 ? t - milestones[i - 1] : t, base);
}

void ChainedSchedulerOptions::check() const {
  if (schedules.empty()) fail<ValueError>("ChainedScheduler", "there must be a schedule");
}
double ChainedSchedulerOptions::lr_at(int64_t t, double base) const {
  for (const ScheduleFormula& schedule : schedules) base = schedule.lr_at(t, base);
  return base;
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, ReduceLROnPlateauOptions options)
    : optimizer_(&optimizer), options_(options) {
  const char* name = "ReduceLROnPlateau";
  require(options.factor > 0 && options.factor < 1, name, "factor must be in (0, 1)", options.factor);
  require(options.patience >= 0, name, "patience must not be negative", options.patience);
  require(options.threshold >= 0, name, "threshold must not be negative", options.threshold);
  require(options.cooldown >= 0, name, "cooldown must not be negative", options.cooldown);
  require(options.min_lr >= 0, name, "min_lr must not be negative", options.min_lr);
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
  return {
      {"best", numbers({best_})}, {"bad_steps", integers({bad_steps_})}, {"cooldown_left", integers({cooldown_left_})}};
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
