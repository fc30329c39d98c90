#include <tapegrad/error.h>
#include <tapegrad/optim.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

namespace tapegrad::optim {
namespace {

using testing::ThrowsMessage;

struct Rate {
  Tensor w = ones({1}, {.requires_grad = true});
  SGD optimizer{{w}, {.lr = 1}};
  double lr() const { return optimizer.lr(); }
};

TEST(WarmupCosineLR, RisesInALineAndFallsAlongACosine) {
  Rate rate;
  WarmupCosineLR schedule(rate.optimizer, {.warmup_steps = 4, .total_steps = 14, .eta_min = 0.1});
  std::vector<double> seen;
  for (int t = 0; t <= 20; ++t) {
    seen.push_back(rate.lr());
    schedule.step();
  }
  EXPECT_DOUBLE_EQ(seen[0], 0.25);
  EXPECT_DOUBLE_EQ(seen[3], 1);
  EXPECT_DOUBLE_EQ(seen[4], 1);
  EXPECT_NEAR(seen[9], 0.55, 1e-12);
  for (int t = 5; t <= 14; ++t) EXPECT_LT(seen[t], seen[t - 1]);
  for (int t = 14; t <= 20; ++t) EXPECT_DOUBLE_EQ(seen[t], 0.1);
}

TEST(OneCycleLR, BeginsAtTheTopWhereTheRiseIsOneStep) {
  Rate rate;
  for (const auto& [total, start] : {std::pair<int64_t, double>{10, 0.1}, {20, 0.05}, {20, 0.04}}) {
    OneCycleLR schedule(rate.optimizer, {.max_lr = 1, .total_steps = total, .pct_start = start});
    EXPECT_DOUBLE_EQ(schedule.lr_at(0, 7), 1) << total << " " << start;
    EXPECT_LT(schedule.lr_at(1, 7), 1) << total << " " << start;
  }
}

TEST(OneCycleLR, EndsWhereItSays) {
  Rate rate;
  OneCycleLR schedule(rate.optimizer, {.max_lr = 1, .total_steps = 10, .anneal = Anneal::linear});
  EXPECT_DOUBLE_EQ(schedule.lr_at(0, 7), 1.0 / 25);
  EXPECT_DOUBLE_EQ(schedule.lr_at(2, 7), 1);
  EXPECT_DOUBLE_EQ(schedule.lr_at(9, 7), 1.0 / 25 / 1e4);
  EXPECT_DOUBLE_EQ(schedule.lr_at(30, 7), 1.0 / 25 / 1e4);
  for (double start : {0.0, 0.05, 1.0})
    for (int64_t total : {1, 2, 10})
      for (int64_t t = 0; t < 12; ++t) {
        OneCycleLR edge(rate.optimizer, {.max_lr = 1, .total_steps = total, .pct_start = start});
        EXPECT_TRUE(std::isfinite(edge.lr_at(t, 1))) << start << " " << total << " " << t;
      }
}

TEST(Schedule, ScalesEveryGroupByItsOwnRate) {
  Tensor a = ones({1}), b = ones({1});
  SGD optimizer({{.params = {a}, .lr = 1.0}, {.params = {b}, .lr = 10.0}});
  StepLR schedule(optimizer, {.step_size = 2, .gamma = 0.5});
  for (int i = 0; i < 4; ++i) schedule.step();
  EXPECT_EQ(optimizer.lr(0), 0.25);
  EXPECT_EQ(optimizer.lr(1), 2.5);
}

TEST(Schedule, GoesOnFromASavedState) {
  Rate straight, resumed;
  CosineAnnealingLR a(straight.optimizer, {.T_max = 10});
  for (int i = 0; i < 3; ++i) a.step();
  const auto state = a.state_dict();
  resumed.optimizer.load_state_dict(straight.optimizer.state_dict());
  CosineAnnealingLR b(resumed.optimizer, {.T_max = 10});
  b.load_state_dict(state);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(straight.lr(), resumed.lr());
    a.step();
    b.step();
  }
  EXPECT_THAT(
      [&] {
        b.load_state_dict({{"step", from_vector(std::vector<int64_t>{1}, {1})}});
      },
      ThrowsMessage<ValueError>("schedule: load_state_dict: the state does not fit; 'base_lr' is missing"));
}

TEST(Schedule, RefusesAStateThatWouldOverflowOrGiveNoRateAndChangesNothing) {
  Rate rate;
  CosineAnnealingLR schedule(rate.optimizer, {.T_max = 10});
  schedule.step();
  const double before = rate.lr();
  const auto refuses = [&](int64_t step, double base, const std::string& text) {
    EXPECT_THAT(
        [&] {
          schedule.load_state_dict({{"step", from_vector(std::vector<int64_t>{step}, {1})},
                                    {"base_lr", from_vector(std::vector<double>{base}, {1})}});
        },
        ThrowsMessage<ValueError>(text));
    EXPECT_EQ(schedule.steps(), 1);
    EXPECT_EQ(rate.lr(), before);
  };
  refuses(std::numeric_limits<int64_t>::max(), -1,
          "schedule: load_state_dict: the state does not fit; 'step' must be in [0, 9007199254740992], got "
          "9223372036854775807; 'base_lr' must be finite and not negative, got -1");

  struct Falling : Schedule {
    explicit Falling(Optimizer& optimizer) : Schedule(optimizer) { apply(); }
    double lr_at(int64_t t, double base) const override { return base - double(t); }
  } falling(rate.optimizer);
  const double here = rate.lr();
  EXPECT_THAT(
      [&] {
        falling.load_state_dict({{"step", from_vector(std::vector<int64_t>{5}, {1})},
                                 {"base_lr", from_vector(std::vector<double>{2}, {1})}});
      },
      ThrowsMessage<ValueError>("schedule: load_state_dict: after step 5 a group of rate 2 would have -3, which "
                                "must be finite and not negative"));
  EXPECT_EQ(falling.steps(), 0);
  EXPECT_EQ(rate.lr(), here);
}

TEST(Schedule, RefusesToStepWhereAnotherScheduleOrSetLrChangedTheRate) {
  Rate rate;
  LinearLR warmup(rate.optimizer, {.start_factor = 0.5, .total_iters = 2});
  StepLR decay(rate.optimizer, {.step_size = 10});
  const auto refuses = [&](Schedule& schedule, const std::string& numbers) {
    const double before = rate.lr();
    EXPECT_THAT([&] { schedule.step(); },
                ThrowsMessage<ValueError>(
                    "schedule: step: the rate of group 0 is " + numbers +
                    ": another schedule or set_lr() changed it. Hint: join schedules in a SequentialLR or "
                    "ChainedScheduler, make one anew after set_lr(), and load its state with the optimizer's"));
    EXPECT_EQ(rate.lr(), before);
  };
  warmup.step();
  refuses(decay, "0.75, where this schedule had set 0.5");
  EXPECT_EQ(decay.steps(), 0);
  rate.optimizer.set_lr(0.2);
  refuses(warmup, "0.2, where this schedule had set 0.75");
  EXPECT_EQ(warmup.steps(), 1);
  ExponentialLR anew(rate.optimizer, {.gamma = 0.5});
  anew.step();
  EXPECT_EQ(rate.lr(), 0.1);
}

// The rates at t = 0, 1, ...
std::vector<double> rates(const Schedule& schedule, int64_t n, double base) {
  std::vector<double> out;
  for (int64_t t = 0; t < n; ++t) out.push_back(schedule.lr_at(t, base));
  return out;
}

TEST(LambdaLR, MultipliesByAFunctionOfTheSteps) {
  Rate rate;
  rate.optimizer.set_lr(2);
  LambdaLR schedule(rate.optimizer, {.lr_lambda = [](int64_t t) { return 1 / double(t + 1); }});
  EXPECT_EQ(rate.lr(), 2);
  schedule.step();
  schedule.step();
  EXPECT_DOUBLE_EQ(rate.lr(), 2.0 / 3);
  EXPECT_THAT([&] { LambdaLR(rate.optimizer, {}); }, ThrowsMessage<ValueError>("LambdaLR: lr_lambda must be given"));
}

// PyTorch: ConstantLR(factor=0.1, total_iters=2) and ExponentialLR(gamma=0.9), milestones=[2], from its documentation,
// with a LinearLR in the place of the constant.
TEST(SequentialLR, BeginsEachScheduleAnewAtItsMilestone) {
  Rate rate;
  SequentialLR schedule(rate.optimizer,
                        {.schedules = {LinearLROptions{.start_factor = 0.1, .total_iters = 2},
                                       ExponentialLROptions{.gamma = 0.9}, StepLROptions{.step_size = 2, .gamma = 0.5}},
                         .milestones = {2, 5}});
  const std::vector<double> want = {0.1, 0.55, 1, 0.9, 0.81, 1, 1, 0.5, 0.5, 0.25};
  const std::vector<double> got = rates(schedule, 10, 1);
  for (size_t t = 0; t < want.size(); ++t) {
    EXPECT_DOUBLE_EQ(got[t], want[t]) << t;
    EXPECT_DOUBLE_EQ(rate.lr(), want[t]) << t;
    schedule.step();
  }
}

TEST(SequentialLR, GoesOnFromASavedState) {
  Rate straight, resumed;
  const SequentialLROptions options{
      .schedules = {LinearLROptions{.total_iters = 3}, CosineAnnealingLROptions{.T_max = 7}}, .milestones = {3}};
  SequentialLR a(straight.optimizer, options);
  for (int i = 0; i < 4; ++i) a.step();
  resumed.optimizer.load_state_dict(straight.optimizer.state_dict());
  SequentialLR b(resumed.optimizer, options);
  b.load_state_dict(a.state_dict());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(straight.lr(), resumed.lr());
    a.step();
    b.step();
  }
}

// PyTorch: a ChainedScheduler of these two gives 0.5 * 0.9^0, 0.5 * 0.9, ..., and from t = 4 on 0.9^t.
TEST(ChainedScheduler, MultipliesTheFactorsOfItsSchedules) {
  Rate rate;
  const LinearLROptions warmup{.start_factor = 0.5, .total_iters = 4};
  ChainedScheduler schedule(rate.optimizer, {.schedules = {warmup, ExponentialLROptions{.gamma = 0.9}}});
  const std::vector<double> got = rates(schedule, 6, 2);
  for (int t = 0; t < 6; ++t)
    EXPECT_NEAR(got[size_t(t)], 2 * std::min(0.5 + 0.125 * t, 1.0) * std::pow(0.9, t), 1e-15) << t;
}

TEST(Schedule, OfSchedulesChecksThem) {
  Rate rate;
  EXPECT_THAT([&] { SequentialLR(rate.optimizer, {.schedules = {LinearLROptions{}}, .milestones = {3}}); },
              ThrowsMessage<ValueError>("SequentialLR: schedules must be one more than milestones, got 1 and 1"));
  EXPECT_THAT(
      [&] {
        SequentialLR(rate.optimizer,
                     {.schedules = {LinearLROptions{}, LinearLROptions{}, LinearLROptions{}}, .milestones = {3, 3}});
      },
      ThrowsMessage<ValueError>("SequentialLR: milestones must be positive and increase, got 3"));
  EXPECT_THAT([&] { ChainedScheduler(rate.optimizer, {}); },
              ThrowsMessage<ValueError>("ChainedScheduler: there must be a schedule"));
  EXPECT_THAT([&] { ChainedScheduler(rate.optimizer, {.schedules = {StepLROptions{}}}); },
              ThrowsMessage<ValueError>("StepLR: step_size must be at least 1, got 0"));
  EXPECT_EQ(rate.lr(), 1);
}

TEST(Schedule, RejectsOptionsOutsideTheirRange) {
  Rate rate;
  EXPECT_THAT([&] { StepLR(rate.optimizer, {.gamma = 0.5}); },
              ThrowsMessage<ValueError>("StepLR: step_size must be at least 1, got 0"));
  EXPECT_THROW(ExponentialLR(rate.optimizer, {}), ValueError);
  EXPECT_THROW(MultiStepLR(rate.optimizer, {.milestones = {-1}}), ValueError);
  EXPECT_THROW(CosineAnnealingLR(rate.optimizer, {.T_max = 5, .eta_min = -1}), ValueError);
  EXPECT_THROW(LinearLR(rate.optimizer, {.start_factor = 0}), ValueError);
  EXPECT_THROW(OneCycleLR(rate.optimizer, {.max_lr = 1, .total_steps = 5, .pct_start = 2}), ValueError);
  EXPECT_THROW(WarmupCosineLR(rate.optimizer, {.warmup_steps = 5, .total_steps = 5}), ValueError);
  EXPECT_EQ(rate.lr(), 1) << "a rejected schedule must leave the rate alone";
}

TEST(ReduceLROnPlateau, ReducesAfterPatienceAndRestsInCooldown) {
  Rate rate;
  ReduceLROnPlateau plateau(rate.optimizer, {.factor = 0.5, .patience = 2, .cooldown = 2, .min_lr = 0.2});
  for (double loss : {3.0, 2.0, 2.0, std::nan("")}) EXPECT_FALSE(plateau.step(loss));
  EXPECT_TRUE(plateau.step(2.0));
  EXPECT_EQ(rate.lr(), 0.5);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(plateau.step(2.0)) << i;
  const auto state = plateau.state_dict();
  ReduceLROnPlateau resumed(rate.optimizer, {.factor = 0.5, .patience = 2, .cooldown = 2, .min_lr = 0.2});
  resumed.load_state_dict(state);
  EXPECT_TRUE(resumed.step(2.0));
  EXPECT_EQ(rate.lr(), 0.25);
  for (int i = 0; i < 20; ++i) resumed.step(2.0);
  EXPECT_EQ(rate.lr(), 0.2);
}

TEST(ReduceLROnPlateau, KnowsThatAnAccuracyIsBetterWhenLarger) {
  Rate rate;
  ReduceLROnPlateau plateau(rate.optimizer, {.better = Better::larger, .patience = 0});
  EXPECT_FALSE(plateau.step(0.5));
  EXPECT_FALSE(plateau.step(0.6));
  EXPECT_TRUE(plateau.step(0.6));
  EXPECT_TRUE(plateau.step(0.6));  // where nobody asks for a cooldown there is none
  EXPECT_NEAR(rate.optimizer.lr(), 0.01, 1e-15);
}

TEST(ClipGradNorm, LeavesShortGradientsAndReturnsTheNorm) {
  Tensor a = ones({2}), b = ones({1}), none = ones({5});
  a.set_grad(tensor({3, 0}));
  b.set_grad(tensor({-4}));
  EXPECT_EQ(clip_grad_norm({a, b, none}, 10), 5);
  EXPECT_EQ(a.grad().to_vector<float>(), std::vector<float>({3, 0}));
  EXPECT_EQ(clip_grad_norm({a, b, none}, 1), 5);
  EXPECT_NEAR(a.grad().to_vector<float>()[0], 0.6, 1e-6);
  EXPECT_NEAR(b.grad().to_vector<float>()[0], -0.8, 1e-6);
  EXPECT_THAT([&] { clip_grad_norm({a}, 0); },
              ThrowsMessage<ValueError>("clip_grad_norm: max_norm must be positive, got 0"));
}

TEST(ClipGradNorm, SumsInFloat64) {
  Tensor a = ones({2});
  a.set_grad(full({2}, 1e30));
  EXPECT_NEAR(clip_grad_norm({a}, 1) / (std::sqrt(2.0) * 1e30), 1, 1e-7);
  EXPECT_NEAR(a.grad().to_vector<float>()[0], std::sqrt(0.5), 1e-6);
}

TEST(ClipGradNorm, LeavesGradientsThatAreNotFinite) {
  Tensor a = ones({2}), b = ones({1});
  a.set_grad(tensor({3, std::numeric_limits<double>::infinity()}));
  b.set_grad(tensor({7}));
  EXPECT_TRUE(std::isinf(clip_grad_norm({a, b}, 1)));
  EXPECT_EQ(a.grad().to_vector<float>()[0], 3);
  EXPECT_EQ(b.grad().to_vector<float>()[0], 7);
  a.set_grad(tensor({3, std::nan("")}));
  EXPECT_TRUE(std::isnan(clip_grad_norm({a, b}, 1)));
  EXPECT_EQ(b.grad().to_vector<float>()[0], 7);
}

TEST(ClipGradValue, LimitsEveryElementAndKeepsNaN) {
  Tensor a = ones({4});
  a.set_grad(tensor({3, -0.5, -9, std::nan("")}));
  clip_grad_value({a}, 2);
  const auto g = a.grad().to_vector<float>();
  EXPECT_EQ(g[0], 2);
  EXPECT_EQ(g[1], -0.5f);
  EXPECT_EQ(g[2], -2);
  EXPECT_TRUE(std::isnan(g[3]));
  EXPECT_THROW(clip_grad_value({a}, -1), ValueError);
}

}  // namespace
}  // namespace tapegrad::optim
