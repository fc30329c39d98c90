#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

struct AdagradOptions {
  double lr = 1e-2;                      ///< learning rate, >= 0
  double lr_decay = 0;                   ///< kappa, >= 0
  double weight_decay = 0;               ///< lambda, >= 0: lambda * p is added to the gradient
  double initial_accumulator_value = 0;  ///< of s, >= 0
  double eps = 1e-10;                    ///< >= 0

  static constexpr const char* name = "Adagrad";
  void check() const;
  std::vector<std::string> moment_names() const;
  void update(Optimizer::Slot& slot, const Tensor& gradient) const;
};

/// Adagrad: the step shrinks with the sum of all squared gradients so far.
///
///     g = grad + lambda p
///     s = s + g^2
///     p = p - lr / (1 + (t - 1) kappa) * g / (sqrt(s) + eps)        t counts steps from 1
///
/// **Source** Duchi, Hazan, Singer 2011, "Adaptive subgradient methods for online learning and stochastic
/// optimization", figure 1 with diagonal matrices.
using Adagrad = OptimizerOf<AdagradOptions>;

}  // namespace tapegrad::optim
