#include <tapegrad/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/fail.h"
#include "tensor/state_reader.h"

namespace tapegrad::optim {

namespace {

void require(bool rule, const char* schedule, const char* text, double value) {
  if (!rule || !std::isfinite(value)) fail<ValueError>(schedule, "{}, got {}", text, value);
}

// From `from` at share 0 to `to` at share 1, along half a cosine.
double half_cosine(double from, double to, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * share)) / 2;
}

}  // namespace

Schedule::Schedule(Optimizer& optimizer) : optimizer_(&optimizer) {
  for (size_t group = 0; group < optimizer.groups(); ++group) base_.push_back(optimizer.lr(group));
}

void Schedule::apply() {
  for (size_t group = 0; group < base_.size(); ++group)
    optimizer_->set_group_lr(group, lr_at(steps_, base_[group]));
}

void Schedule::step() {
  ++steps_;
  apply();
}

StateDict Schedule::state_dict() const {
  return {{"step", integers({steps_})}, {"base_lr", numbers(base_)}};
}

void Schedule::load_state_dict(const StateDict& state) {
  StateReader reader("schedule", state);
  const int64_t steps = reader.counts("step")[0];
  std::vector<double> base = reader.rates("base_lr", base_.size());
  reader.finish();
  for (double rate : base)
    if (const double lr = lr_at(steps, rate); !(lr >= 0) || std::isinf(lr))
      fail<ValueError>(
          "schedule",
          "load_state_dict: after step {} a group of rate {} would have {}, which must be finite "
          "and not negative",
          steps, rate, lr);
  steps_ = steps;
  base_ = std::move(base);
  apply();
}

StepLR::StepLR(Optimizer& optimizer, StepLROptions options) : Schedule(optimizer), options_(options) {
  require(options.step_size >= 1, "StepLR", "step_size must be at least 1", double(options.step_size));
  require(options.gamma > 0, "StepLR", "gamma must be positive", options.gamma);
  apply();
}
double StepLR::lr_at(int64_t t, double base) const {
  return base * std::pow(options_.gamma, double(t / options_.step_size));
}

MultiStepLR::MultiStepLR(Optimizer& optimizer, MultiStepLROptions options)
    : Schedule(optimizer), options_(std::move(options)) {
  for (int64_t milestone : options_.milestones)
    require(milestone >= 0, "MultiStepLR", "milestones must not be negative", double(milestone));
  require(options_.gamma > 0, "MultiStepLR", "gamma must be positive", options_.gamma);
  apply();
}
double MultiStepLR::lr_at(int64_t t, double base) const {
  const auto passed = std::count_if(options_.milestones.begin(), options_.milestones.end(),
                                    [t](int64_t milestone) { return milestone <= t; });
  return base * std::pow(options_.gamma, double(passed));
}

ExponentialLR::ExponentialLR(Optimizer& optimizer, ExponentialLROptions options)
    : Schedule(optimizer), options_(options) {
  require(options.gamma > 0, "ExponentialLR", "gamma must be positive", options.gamma);
  apply();
}
double ExponentialLR::lr_at(int64_t t, double base) const {
  return base * std::pow(options_.gamma, double(t));
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, CosineAnnealingLROptions options)
    : Schedule(optimizer), options_(options) {
  require(options.T_max >= 1, "CosineAnnealingLR", "T_max must be at least 1", double(options.T_max));
  require(options.eta_min >= 0, "CosineAnnealingLR", "eta_min must not be negative", options.eta_min);
  apply();
}
double CosineAnnealingLR::lr_at(int64_t t, double base) const {
  return half_cosine(base, options_.eta_min, double(t) / double(options_.T_max));
}

LinearLR::LinearLR(Optimizer& optimizer, LinearLROptions options) : Schedule(optimizer), options_(options) {
  require(options.start_factor > 0 && options.start_factor <= 1, "LinearLR", "start_factor must be in (0, 1]",
          options.start_factor);
  require(options.end_factor >= 0 && options.end_factor <= 1, "LinearLR", "end_factor must be in [0, 1]",
          options.end_factor);
  require(options.total_iters >= 1, "LinearLR", "total_iters must be at least 1",
          double(options.total_iters));
  apply();
}
double LinearLR::lr_at(int64_t t, double base) const {
  const double share = std::min(double(t) / double(options_.total_iters), 1.0);
  return base * (options_.start_factor + (options_.end_factor - options_.start_factor) * share);
}

OneCycleLR::OneCycleLR(Optimizer& optimizer, OneCycleLROptions options)
    : Schedule(optimizer), options_(options) {
  require(options.max_lr > 0, "OneCycleLR", "max_lr must be positive", options.max_lr);
  require(options.total_steps >= 1, "OneCycleLR", "total_steps must be at least 1",
          double(options.total_steps));
  require(options.pct_start >= 0 && options.pct_start <= 1, "OneCycleLR", "pct_start must be in [0, 1]",
          options.pct_start);
  require(options.div_factor > 0, "OneCycleLR", "div_factor must be positive", options.div_factor);
  require(options.final_div_factor > 0, "OneCycleLR", "final_div_factor must be positive",
          options.final_div_factor);
  apply();
}
double OneCycleLR::lr_at(int64_t t, double) const {
  const double first = options_.max_lr / options_.div_factor, last = first / options_.final_div_factor;
  const double top = options_.pct_start * double(options_.total_steps) - 1,
               end = double(options_.total_steps - 1);
  const auto anneal = [&](double from, double to, double share) {
    return options_.anneal == Anneal::cos ? half_cosine(from, to, share) : from + (to - from) * share;
  };
  const double now = double(t);
  if (now >= end && end > top) return last;
  if (now >= end) return options_.max_lr;  // pct_start = 1: it never falls
  if (now <= top) return anneal(first, options_.max_lr, top > 0 ? now / top : 1);
  return anneal(options_.max_lr, last, (now - std::max(top, 0.0)) / (end - std::max(top, 0.0)));
}

WarmupCosineLR::WarmupCosineLR(Optimizer& optimizer, WarmupCosineLROptions options)
    : Schedule(optimizer), options_(options) {
  require(options.warmup_steps >= 0, "WarmupCosineLR", "warmup_steps must not be negative",
          double(options.warmup_steps));
  require(options.total_steps > options.warmup_steps, "WarmupCosineLR",
          "total_steps must be larger than warmup_steps", double(options.total_steps));
  require(options.eta_min >= 0, "WarmupCosineLR", "eta_min must not be negative", options.eta_min);
  apply();
}
double WarmupCosineLR::lr_at(int64_t t, double base) const {
  const double warmup = double(options_.warmup_steps), total = double(options_.total_steps);
  if (t < options_.warmup_steps) return base * double(t + 1) / warmup;
  return half_cosine(base, options_.eta_min, std::min((double(t) - warmup) / (total - warmup), 1.0));
}

}  // namespace tapegrad::optim
