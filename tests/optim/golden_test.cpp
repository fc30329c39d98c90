// Twenty steps of every optimizer and schedule against PyTorch's, on the loss of tests/golden/README.md:
//   0.5 w'Aw + sum(v^4) / 4 + sum_j w[j] sum_i v[i, j],   dw = A w + (column sums of v),   dv = v^3 + w[j]
#include <tapegrad/optim.h>

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "support/golden.h"

namespace tapegrad {
namespace {

using namespace optim;

struct Trajectory {
  explicit Trajectory(const std::string& name)
      : g(golden("optim/" + name)), w(g.leaf("param/w")), v(g.leaf("param/v")), columns(v.size(1)) {}

  void gradients() {
    const auto A = g["A"].to_vector<double>(), ws = w.to_vector<double>(), vs = v.to_vector<double>();
    const size_t n = ws.size();
    std::vector<double> dw(n, 0), dv(vs.size());
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j) dw[i] += A[i * n + j] * ws[j];
    for (size_t i = 0; i < vs.size(); ++i) {
      const size_t column = i % size_t(columns);
      dw[column] += vs[i];
      dv[i] = vs[i] * vs[i] * vs[i] + ws[column];
    }
    w.set_grad(from_vector(dw, w.shape()));
    v.set_grad(from_vector(dv, v.shape()));
  }

  void check(Optimizer& optimizer, Schedule* schedule = nullptr) {
    for (int step = 0; step < 20; ++step) {
      const std::string k = std::to_string(step);
      gradients();
      if (g.has("norm/" + k)) {
        EXPECT_NEAR(clip_grad_norm({w, v}, g.number("max_norm")), g["norm/" + k].item(), 1e-10);
      }
      EXPECT_NEAR(optimizer.lr(), g["lr/" + k].item(), 1e-12) << "step " << step;
      ASSERT_TRUE(optimizer.step());
      if (schedule) schedule->step();
      expect_golden(g, "w/" + k, w);
      expect_golden(g, "v/" + k, v);
    }
  }

  double number(const std::string& setting) const { return g.number(setting); }

  Golden g;
  Tensor w, v;
  int64_t columns;
};

TEST(GoldenOptim, Sgd) {
  Trajectory plain("sgd");
  SGD sgd({plain.w, plain.v}, {.lr = plain.number("lr")});
  plain.check(sgd);
  Trajectory heavy("sgd_momentum");
  SGD momentum(
      {heavy.w, heavy.v},
      {.lr = heavy.number("lr"), .momentum = heavy.number("momentum"), .weight_decay = heavy.number("weight_decay")});
  heavy.check(momentum);
  Trajectory ahead("sgd_nesterov");
  SGD nesterov({ahead.w, ahead.v}, {.lr = ahead.number("lr"), .momentum = ahead.number("momentum"), .nesterov = true});
  ahead.check(nesterov);
}

TEST(GoldenOptim, Adam) {
  Trajectory run("adam");
  Adam adam({run.w, run.v}, {.lr = run.number("lr"), .weight_decay = run.number("weight_decay")});
  run.check(adam);
  Trajectory ams("adam_amsgrad");
  Adam amsgrad({ams.w, ams.v},
               {.lr = ams.number("lr"), .betas = {ams.number("beta1"), ams.number("beta2")}, .amsgrad = true});
  ams.check(amsgrad);
  Trajectory decoupled("adamw");
  AdamW adamw({decoupled.w, decoupled.v},
              {.lr = decoupled.number("lr"), .weight_decay = decoupled.number("weight_decay")});
  decoupled.check(adamw);
}

TEST(GoldenOptim, RMSprop) {
  Trajectory run("rmsprop");
  RMSprop plain({run.w, run.v}, {.lr = run.number("lr")});
  run.check(plain);
  Trajectory all("rmsprop_centered");
  RMSprop centered({all.w, all.v}, {.lr = all.number("lr"), .momentum = all.number("momentum"), .centered = true});
  all.check(centered);
}

TEST(GoldenOptim, AdagradAndAdadelta) {
  Trajectory run("adagrad");
  Adagrad adagrad({run.w, run.v}, {.lr = run.number("lr")});
  run.check(adagrad);
  Trajectory other("adadelta");
  Adadelta adadelta({other.w, other.v}, {.lr = other.number("lr")});
  other.check(adadelta);
}

TEST(GoldenOptim, ClipGradNorm) {
  Trajectory run("clip_grad_norm");
  SGD sgd({run.w, run.v}, {.lr = run.number("lr")});
  run.check(sgd);
}

// Runs a schedule over the case's SGD.
template <class S, class Options>
void check_schedule(const std::string& name, const std::function<Options(const Golden&)>& options) {
  Trajectory run(name);
  const double momentum = run.g.settings.count("momentum") ? run.number("momentum") : 0;
  SGD sgd({run.w, run.v}, {.lr = run.number(name == "one_cycle_lr" ? "max_lr" : "lr"), .momentum = momentum});
  S schedule(sgd, options(run.g));
  run.check(sgd, &schedule);
}

TEST(GoldenOptim, Schedules) {
  check_schedule<StepLR, StepLROptions>("step_lr", [](const Golden& g) {
    return StepLROptions{.step_size = g.integer("step_size"), .gamma = g.number("gamma")};
  });
  check_schedule<MultiStepLR, MultiStepLROptions>("multistep_lr", [](const Golden& g) {
    const Shape milestones = g.sizes("milestones");
    return MultiStepLROptions{.milestones = {milestones.begin(), milestones.end()}, .gamma = g.number("gamma")};
  });
  check_schedule<ExponentialLR, ExponentialLROptions>(
      "exponential_lr", [](const Golden& g) { return ExponentialLROptions{.gamma = g.number("gamma")}; });
  check_schedule<CosineAnnealingLR, CosineAnnealingLROptions>("cosine_lr", [](const Golden& g) {
    return CosineAnnealingLROptions{.T_max = g.integer("T_max"), .eta_min = g.number("eta_min")};
  });
  check_schedule<LinearLR, LinearLROptions>("linear_lr", [](const Golden& g) {
    return LinearLROptions{.start_factor = g.number("start_factor"), .total_iters = g.integer("total_iters")};
  });
  check_schedule<OneCycleLR, OneCycleLROptions>("one_cycle_lr", [](const Golden& g) {
    return OneCycleLROptions{.max_lr = g.number("max_lr"), .total_steps = g.integer("total_steps")};
  });
}

}  // namespace
}  // namespace tapegrad
