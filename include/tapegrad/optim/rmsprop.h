#pragma once
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

struct RMSpropOptions {
  double lr = 1e-2;         ///< learning rate, >= 0
  double alpha = 0.99;      ///< decay of the means, in [0, 1]
  double eps = 1e-8;        ///< >= 0
  double weight_decay = 0;  ///< lambda, >= 0: lambda * p is added to the gradient
  double momentum = 0;      ///< mu, in [0, 1]
  bool centered = false;    ///< divide by the standard deviation of the gradients, not by their size

  static constexpr const char* name = "RMSprop";
  void check() const;
  std::vector<std::string> moment_names() const;
  void update(Optimizer::Slot& slot, const Tensor& gradient) const;
};

/// RMSprop: the gradient divided by the root of its mean square.
///
///     g = grad + lambda p
///     v = alpha v + (1 - alpha) g^2
///     a = alpha a + (1 - alpha) g                  centered; else a = 0
///     b = mu b + g / (sqrt(v - a^2) + eps)
///     p = p - lr b
///
/// **Source** Tieleman, Hinton 2012, Coursera lecture 6.5; centered: Graves 2013, "Generating sequences with
/// recurrent neural networks", arXiv:1308.0850, equations 38 to 45, with eps outside the root as in PyTorch.
using RMSprop = OptimizerOf<RMSpropOptions>;

}  // namespace tapegrad::optim
