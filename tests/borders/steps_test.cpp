// An optimizer's step in chunks of a parameter, and what looks at gradients in chunks: the check for NaN, clipping.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

struct Kind {
  std::string name;
  std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>&)> make;
};

template <class O, class Options>
Kind kind(const std::string& name, Options options) {
  return {name, [options](const std::vector<Tensor>& parameters) { return std::make_unique<O>(parameters, options); }};
}

const Kind kKinds[] = {
    kind<optim::SGD>("SGD", optim::SGDOptions{.lr = 0.1, .weight_decay = 0.02}),
    kind<optim::SGD>("SGD with momentum", optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.2}),
    kind<optim::SGD>("SGD, Nesterov's", optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true}),
    kind<optim::Adam>("Adam", optim::AdamOptions{.lr = 0.1, .weight_decay = 0.02}),
    kind<optim::Adam>("Adam with amsgrad", optim::AdamOptions{.lr = 0.1, .amsgrad = true}),
    kind<optim::AdamW>("AdamW", optim::AdamWOptions{.lr = 0.1, .weight_decay = 0.1}),
    kind<optim::RMSprop>("RMSprop", optim::RMSpropOptions{.lr = 0.1}),
    kind<optim::RMSprop>("RMSprop, centered, with momentum",
                         optim::RMSpropOptions{.lr = 0.1, .momentum = 0.5, .centered = true}),
    kind<optim::Adagrad>("Adagrad", optim::AdagradOptions{.lr = 0.1, .lr_decay = 0.1}),
    kind<optim::Adadelta>("Adadelta", optim::AdadeltaOptions{.lr = 1}),
};

// The parameter after steps with these gradients, each a third as large as the one before, and all that the optimizer keeps.
Inputs after_steps(const Kind& kind, const std::vector<Tensor>& starts, const std::vector<Tensor>& gradients) {
  std::vector<Tensor> parameters;
  for (const Tensor& start : starts) parameters.push_back(start.clone().set_requires_grad());
  const auto optimizer = kind.make(parameters);
  for (const double scale : {1.0, 0.3, -0.1}) {
    for (size_t i = 0; i < parameters.size(); ++i) parameters[i].set_grad(gradients[i] * scale);
    optimizer->step();
  }
  Inputs all;
  for (size_t i = 0; i < parameters.size(); ++i) {
    all.push_back(parameters[i].detach());
    for (const auto& [name, value] : optimizer->state_dict())
      if (name.starts_with(std::to_string(i) + ".") && is_floating(value.dtype())) all.push_back(value);
  }
  return all;
}

TEST(StepBorders, EveryChunkOfAParameterMovesAsAParameterOfItsOwn) {
  for (const Kind& kind : kKinds)
    for (const Dtype dtype : {float32, float64})
      for (const int64_t n : around(kOptimizer)) {
        manual_seed(uint64_t(n));
        const Tensor start = noise({n}, dtype), gradient = noise({n}, dtype);
        const Inputs whole = for_any_threads([&] { return after_steps(kind, {start}, {gradient}); });
        const Tensors starts = split(start, kOptimizer / 9), gradients = split(gradient, kOptimizer / 9);
        std::vector<Tensor> own_starts, own_gradients;
        for (size_t i = 0; i < starts.size(); ++i) {
          own_starts.push_back(starts[i].clone());
          own_gradients.push_back(gradients[i].clone());
        }
        const Inputs parts = after_steps(kind, own_starts, own_gradients);
        const size_t kept = whole.size();
        ASSERT_EQ(parts.size(), kept * starts.size());
        for (size_t k = 0; k < kept; ++k) {
          Inputs pieces;
          for (size_t i = 0; i < starts.size(); ++i) pieces.push_back(parts[i * kept + k]);
          EXPECT_TRUE(all(eq(whole[k], concat(pieces))).item())
              << kind.name << ", " << n << " numbers in " << to_string(dtype) << ", result " << k;
        }
      }
}

TEST(StepBorders, ANumberThatIsNotFiniteIsFoundWhereverItStands) {
  const int before = get_num_threads();
  for (const Dtype dtype : {float32, float64})
    for (const int64_t n : around(kFinite)) {
      Tensor w = zeros({n}, {.dtype = dtype}).set_requires_grad();
      optim::SGD optimizer({w}, {.lr = 1});
      int64_t expected = 0;
      for (const int64_t at : {int64_t(0), n / 2, kFinite - 1, kFinite, 2 * kFinite - 1, n - 1})
        for (const double bad :
             {std::nan(""), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
          if (at >= n) continue;
          for (const int threads : {1, 2, 3}) {
            set_num_threads(threads);
            Tensor gradient = zeros({n}, {.dtype = dtype});
            narrow(gradient, 0, at, 1).fill_(bad);
            w.set_grad(gradient);
            EXPECT_FALSE(optimizer.step()) << bad << " at " << at << " of " << n;
            EXPECT_EQ(optimizer.skipped_steps(), ++expected);
            w.set_grad(full({n}, dtype == float32 ? 3e38 : 1e308, {.dtype = dtype}));  // large, and finite
            EXPECT_TRUE(optimizer.step());
            w.zero_();
          }
        }
    }
  set_num_threads(before);
}

TEST(StepBorders, TheNormThatGradientsAreClippedByCountsEveryChunk) {
  for (const Dtype dtype : {float32, float64})
    for (const int64_t n : around(kFinite)) {
      const Tensor gradient = ((arange(n) * 7919).to(float64) * (1.0 / 1024)).to(dtype);
      long double squares = 0;
      for (const double g : gradient.to(float64).to_vector<double>()) squares += static_cast<long double>(g) * g;
      const double length = double(std::sqrt(squares + 9));
      const Inputs clipped = for_any_threads([&] {
        Tensor a = zeros({n}, {.dtype = dtype}), b = zeros({1}, {.dtype = dtype});
        a.set_grad(gradient.clone());
        b.set_grad(full({1}, -3, {.dtype = dtype}));
        const double norm = clip_grad_norm({a, b}, 2);
        EXPECT_NEAR(norm / length, 1, 1e-12);
        Tensor limited = zeros({n}, {.dtype = dtype});
        limited.set_grad(gradient - 5.0);
        clip_grad_value({limited}, 2);
        return Inputs{a.grad(), b.grad(), limited.grad()};
      });
      const Tensor wide = gradient.to(float64);
      expect_near(clipped,
                  {wide * (2 / (length + 1e-6)), full({1}, -6 / (length + 1e-6), {.dtype = float64}),
                   minimum(maximum((gradient - 5.0).to(float64), -2.0), 2.0)},
                  std::to_string(n) + " numbers");
    }
}

}  // namespace
}  // namespace tapegrad::borders
