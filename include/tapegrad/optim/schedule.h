// The learning rate as a function of the steps taken so far.
//
//   optim::CosineAnnealingLR schedule(optimizer, {.T_max = 100});
//   for (...) {
//     ...
//     optimizer.step();
//     schedule.step();     // after each step or each epoch: the unit is the caller's
//   }
//
// Each is a closed form of t, the number of calls of step(), and of base, the learning rate that a group had
// when the schedule was made: nothing is multiplied up from call to call, so a schedule goes on exactly where
// its t says. A schedule sets the rate of every group when it is made and at each step(), and what something
// else has set in between is an error, not lost. It must not outlive its optimizer.
#pragma once
#include <functional>

#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

/// What all schedules share. One of one's own says lr_at() and ends its constructor with apply().
class Schedule : public Stateful {
 public:
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// t = t + 1, and the rates that belong to it. Throws ValueError where a rate is not the one that this
  /// schedule has set: another schedule, or set_lr(), has changed it.
  void step();
  /// t: how often step() was called.
  int64_t steps() const { return steps_; }
  /// The rate for a group of rate `base` after `t` steps.
  virtual double lr_at(int64_t t, double base) const = 0;

  /// "step" and "base_lr".
  StateDict state_dict() const override;
  /// Sets t, the bases and the optimizer's rates. Throws ValueError if an entry is missing or does not fit, or
  /// where a rate would be negative or not finite; then neither this nor the optimizer is changed.
  void load_state_dict(const StateDict& state) override;

 protected:
  explicit Schedule(Optimizer& optimizer);
  /// Sets the rates of the optimizer.
  void apply();

 private:
  Optimizer* optimizer_;
  std::vector<double> base_;
  int64_t steps_ = 0;
};

/// A schedule that is a formula of its Options: their check() throws ValueError for one outside its range,
/// before any rate is changed, and their lr_at() is the rate.
template <class Options>
class ScheduleOf : public Schedule {
 public:
  ScheduleOf(Optimizer& optimizer, const Options& options = {}) : Schedule(optimizer), options_(options) {
    options_.check();
    apply();
  }
  double lr_at(int64_t t, double base) const override { return options_.lr_at(t, base); }

 private:
  Options options_;
};

struct StepLROptions {
  int64_t step_size = 0;  ///< must be given, >= 1
  double gamma = 0.1;     ///< > 0

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// lr = base * gamma^floor(t / step_size)
using StepLR = ScheduleOf<StepLROptions>;

struct MultiStepLROptions {
  std::vector<int64_t> milestones;  ///< each >= 0, in any order
  double gamma = 0.1;               ///< > 0

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// lr = base * gamma^(number of milestones <= t)
using MultiStepLR = ScheduleOf<MultiStepLROptions>;

struct ExponentialLROptions {
  double gamma = 0;  ///< must be given, > 0

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// lr = base * gamma^t
using ExponentialLR = ScheduleOf<ExponentialLROptions>;

struct CosineAnnealingLROptions {
  int64_t T_max = 0;   ///< half the period, must be given, >= 1
  double eta_min = 0;  ///< the lowest rate, >= 0

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// lr = eta_min + (base - eta_min) * (1 + cos(pi t / T_max)) / 2; beyond T_max it rises again.
///
/// **Source** Loshchilov, Hutter 2016, "SGDR: stochastic gradient descent with warm restarts",
/// arXiv:1608.03983, equation 5, without the restarts.
using CosineAnnealingLR = ScheduleOf<CosineAnnealingLROptions>;

struct LinearLROptions {
  double start_factor = 1.0 / 3;  ///< in (0, 1]
  double end_factor = 1;          ///< in [0, 1]
  int64_t total_iters = 5;        ///< >= 1

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// lr = base * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1)): by default a warm-up. To be followed
/// by another schedule: SequentialLR.
using LinearLR = ScheduleOf<LinearLROptions>;

/// How a rate goes from one value to another: along half a cosine, or a straight line.
enum class Anneal { cos, linear };

struct OneCycleLROptions {
  double max_lr = 0;              ///< must be given, > 0
  int64_t total_steps = 0;        ///< must be given, >= 1
  double pct_start = 0.3;         ///< share of the steps that rise, in [0, 1]
  Anneal anneal = Anneal::cos;    ///< shape of both phases
  double div_factor = 25;         ///< the first rate is max_lr / div_factor; > 0
  double final_div_factor = 1e4;  ///< the last rate is the first one / final_div_factor; > 0

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// Rises from max_lr / div_factor to max_lr at t = pct_start * total_steps - 1, then falls to
/// max_lr / div_factor / final_div_factor at t = total_steps - 1, and stays there. A rise of one step or less
/// begins at max_lr; PyTorch divides by zero for one step.
///
/// The rate that the optimizer had is not used. PyTorch also moves the momentum in the other direction
/// (cycle_momentum); this is its form with cycle_momentum=False, and a step beyond the last is no error.
///
/// **Source** Smith, Topin 2017, "Super-convergence: very fast training of neural networks using large
/// learning rates", arXiv:1708.07120.
using OneCycleLR = ScheduleOf<OneCycleLROptions>;

struct WarmupCosineLROptions {
  int64_t warmup_steps = 0;  ///< w >= 0
  int64_t total_steps = 0;   ///< n > w, must be given
  double eta_min = 0;        ///< the last rate, >= 0

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// Linear warm-up, then half a cosine:
///
///     t < w    lr = base * (t + 1) / w
///     else     lr = eta_min + (base - eta_min) * (1 + cos(pi min((t - w) / (n - w), 1))) / 2
using WarmupCosineLR = ScheduleOf<WarmupCosineLROptions>;

struct LambdaLROptions {
  std::function<double(int64_t t)> lr_lambda;  ///< the factor after t steps, must be given

  void check() const;
  double lr_at(int64_t t, double base) const { return base * lr_lambda(t); }
};
/// lr = base * lr_lambda(t), the same factor for every group. **Throws**, at the step, ValueError for a rate that is
/// negative or not finite. The function is not in the state.
using LambdaLR = ScheduleOf<LambdaLROptions>;

/// The formula of any schedule, checked: what SequentialLR and ChainedScheduler are made of.
class ScheduleFormula {
 public:
  template <class Options>
  requires requires(const Options& options) {
    options.check();
    options.lr_at(int64_t(), double());
  }
  ScheduleFormula(Options options) {
    options.check();
    lr_at_ = [options = std::move(options)](int64_t t, double base) { return options.lr_at(t, base); };
  }
  double lr_at(int64_t t, double base) const { return lr_at_(t, base); }

 private:
  std::function<double(int64_t, double)> lr_at_;
};

struct SequentialLROptions {
  std::vector<ScheduleFormula> schedules;  ///< one or more
  std::vector<int64_t> milestones;         ///< t at which the second begins, the third, ...; increasing, positive

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// One schedule after the other. Each counts its own steps, from the milestone at which it begins, and from the rate that
/// the group had at first.
///
///     SequentialLR schedule(optimizer, {.schedules = {LinearLROptions{.total_iters = 5}, StepLROptions{.step_size = 30}},
///                                       .milestones = {5}});
using SequentialLR = ScheduleOf<SequentialLROptions>;

struct ChainedSchedulerOptions {
  std::vector<ScheduleFormula> schedules;  ///< one or more

  void check() const;
  double lr_at(int64_t t, double base) const;
};
/// Several schedules at once: the rate of each is the base of the next, so that factors are multiplied, as in PyTorch.
using ChainedScheduler = ScheduleOf<ChainedSchedulerOptions>;

}  // namespace tapegrad::optim
