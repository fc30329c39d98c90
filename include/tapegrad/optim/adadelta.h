#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

struct AdadeltaOptions {
  double lr = 1;            ///< factor of the step, >= 0
  double rho = 0.9;         ///< decay of the means, in [0, 1]
  double eps = 1e-6;        ///< >= 0
  double weight_decay = 0;  ///< lambda, >= 0: lambda * p is added to the gradient
};

/// Adadelta: steps as large as the last ones were, so that no learning rate need be chosen.
///
///     g = grad + lambda p
///     v = rho v + (1 - rho) g^2
///     d = sqrt(u + eps) / sqrt(v + eps) * g
///     u = rho u + (1 - rho) d^2
///     p = p - lr d
///
/// **Throws** ValueError for an option outside its range.
/// **Source** Zeiler 2012, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, algorithm 1.
class Adadelta : public Optimizer {
 public:
  Adadelta(const ParameterList& parameters, AdadeltaOptions options = {});
  Adadelta(const std::vector<Group>& groups, AdadeltaOptions options = {});
  /// A further group, with all options of its own.
  void add_group(const ParameterList& parameters, AdadeltaOptions options);

 private:
  std::vector<std::string> moment_names(size_t group) const override;
  void update(Slot& slot, const Tensor& gradient) override;
  std::vector<AdadeltaOptions> options_;
};

}  // namespace tapegrad::optim
