#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

struct AdadeltaOptions {
  double lr = 1;            ///< factor of the step, >= 0
  double rho = 0.9;         ///< decay of the means, in [0, 1]
  double eps = 1e-6;        ///< >= 0
  double weight_decay = 0;  ///< lambda, >= 0: lambda * p is added to the gradient

  static constexpr const char* name = "Adadelta";
  void check() const;
  std::vector<std::string> moment_names() const;
  void update(Optimizer::Slot& slot, const Tensor& gradient) const;
};

/// Adadelta: steps as large as the last ones were, so that no learning rate need be chosen.
///
///     g = grad + lambda p
///     v = rho v + (1 - rho) g^2
///     d = sqrt(u + eps) / sqrt(v + eps) * g
///     u = rho u + (1 - rho) d^2
///     p = p - lr d
///
/// **Source** Zeiler 2012, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, algorithm 1.
using Adadelta = OptimizerOf<AdadeltaOptions>;

}  // namespace tapegrad::optim
