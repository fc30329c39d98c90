// Small programs of training with one thing wrong, or nothing.
#pragma once
#include <tapegrad/inspect/check.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad {

/// Data that a network can learn: three classes around centers.
struct Classes {
  Tensor x, y;
};
inline Classes classes(int64_t n = 48, int64_t features = 6) {
  const Tensor y = randint(0, 3, {n}), centers = randn({3, features});
  const Tensor x = index_select(centers, 0, y) + 0.5 * randn({n, features});
  return {(x - mean(x)) / tapegrad::std(x), y};
}

/// The names of the mistakes that are found in a program.
inline std::vector<std::string> names(const std::vector<inspect::Mistake>& mistakes) {
  std::vector<std::string> out;
  for (const inspect::Mistake& m : mistakes) {
    out.push_back(m.name);
    EXPECT_FALSE(m.cure.empty());
    EXPECT_FALSE(m.text.empty());
  }
  return out;
}

/// What a program may change of the usual one.
struct Program {
  std::function<Classes()> batch = [] { return classes(); };
  std::function<Tensor(const Tensor&)> forward = {};  ///< unset: the model
  std::function<Tensor(const Tensor&, const Tensor&)> loss = [](const Tensor& out, const Tensor& y) {
    return cross_entropy(out, y);
  };
  bool zero_grad = true, step = true;
  double lr = 0.01;
  std::vector<Tensor> parameters = {};  ///< of the optimizer; empty: the model's
  inspect::CheckOptions options = {};
};

/// Checks it with SGD.
template <class Model>
std::vector<inspect::Mistake> mistakes(Model model, Program p = {}) {
  optim::SGD sgd(p.parameters.empty() ? model.parameters() : p.parameters, {.lr = p.lr});
  return inspect::check(
      model, sgd,
      [&](const TapeOptions& options) {
        const auto [x, y] = p.batch();
        Tape tape(options);
        const Tensor loss = p.loss(p.forward ? p.forward(x) : model(x), y);
        if (p.zero_grad) sgd.zero_grad();
        tape.backward(loss);
        if (p.step) sgd.step();
      },
      p.options);
}

template <class... Layers>
nn::Sequential net(const Layers&... layers) {
  return nn::Sequential(layers...);
}
inline nn::Sequential mlp() { return net(nn::Linear(6, 16), nn::ReLU(), nn::Linear(16, 3)); }

}  // namespace tapegrad
