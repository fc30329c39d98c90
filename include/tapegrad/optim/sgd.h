#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

struct SGDOptions {
  double lr = 1e-3;         ///< learning rate, >= 0
  double momentum = 0;      ///< mu, in [0, 1]
  double dampening = 0;     ///< tau, in [0, 1]
  double weight_decay = 0;  ///< lambda, >= 0: lambda * p is added to the gradient
  bool nesterov = false;    ///< needs momentum > 0 and dampening = 0
};

/// Stochastic gradient descent, with momentum.
///
///     g = grad + lambda p
///     b = mu b + (1 - tau) g       the first time b = g; without momentum b = g
///     p = p - lr b                 nesterov: p - lr (g + mu b)
///
/// **Throws** ValueError for an option outside its range.
/// **Source** Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum in
/// deep learning"; in the form of PyTorch, where lr multiplies the momentum too.
class SGD : public Optimizer {
 public:
  SGD(const ParameterList& parameters, SGDOptions options = {});
  SGD(const std::vector<Group>& groups, SGDOptions options = {});
  /// A further group, with all options of its own.
  void add_group(const ParameterList& parameters, SGDOptions options);

 private:
  std::vector<std::string> moment_names(size_t group) const override;
  void update(Slot& slot, const Tensor& gradient) override;
  std::vector<SGDOptions> options_;
};

}  // namespace tapegrad::optim
