#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

struct SGDOptions {
  double lr = 1e-3;         ///< learning rate, >= 0
  double momentum = 0;      ///< mu, in [0, 1]
  double dampening = 0;     ///< tau, in [0, 1]
  double weight_decay = 0;  ///< lambda, >= 0: lambda * p is added to the gradient
  bool nesterov = false;    ///< needs momentum > 0 and dampening = 0
  bool zero_start = false;  ///< b is 0 before the first step, as in some courses

  static constexpr const char* name = "SGD";
  void check() const;
  std::vector<std::string> moment_names() const;
  void update(Optimizer::Slot& slot, const Tensor& gradient) const;
};

/// Stochastic gradient descent, with momentum.
///
///     g = grad + lambda p
///     b = mu b + (1 - tau) g       the first time b = g, with zero_start (1 - tau) g; without momentum b = g
///     p = p - lr b                 nesterov: p - lr (g + mu b)
///
/// **Source** Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum in
/// deep learning"; in the form of PyTorch, where lr multiplies the momentum too.
using SGD = OptimizerOf<SGDOptions>;

}  // namespace tapegrad::optim
