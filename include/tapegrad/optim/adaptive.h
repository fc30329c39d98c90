// File: optim/adaptive.h
//
// Optimizers that divide by the size of past gradients: Adagrad, Adadelta, RMSprop, Adam, AdamW.
#pragma once
#include <array>

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

/// Of Adam, and of AdamW, whose weight decay is decoupled from the gradients.
template <bool decoupled>
struct AdamOptionsOf {
  double lr = 1e-3;                            ///< learning rate, >= 0
  std::array<double, 2> betas = {0.9, 0.999};  ///< decay of the two means, each in [0, 1)
  double eps = 1e-8;                           ///< >= 0
  double weight_decay = decoupled ? 1e-2 : 0;  ///< lambda, >= 0
  bool amsgrad = false;                        ///< divide by the largest second mean so far

  static constexpr const char* name = decoupled ? "AdamW" : "Adam";
  void check() const;
  std::vector<std::string> moment_names() const;
  void update(Optimizer::Slot& slot, const Tensor& gradient) const;
};
using AdamOptions = AdamOptionsOf<false>;
using AdamWOptions = AdamOptionsOf<true>;

/// Adam: each parameter's step is divided by the size that its gradients usually have.
///
///     g = grad + lambda p
///     m = beta1 m + (1 - beta1) g
///     v = beta2 v + (1 - beta2) g^2          amsgrad: w = max(w, v) stands for v below
///     p = p - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)
///
/// t counts the steps of each parameter from 1.
///
/// **Source** Kingma, Ba 2014, "Adam: a method for stochastic optimization", arXiv:1412.6980, algorithm 1;
/// amsgrad: Reddi, Kale, Kumar 2018, "On the convergence of Adam and beyond", as in PyTorch, which takes the
/// maximum before the correction of the bias.
using Adam = OptimizerOf<AdamOptions>;

/// Adam whose weight decay acts on the parameters themselves and not through the gradients' means:
/// p = (1 - lr lambda) p, and then Adam's step with lambda = 0.
///
/// **Source** Loshchilov, Hutter 2017, "Decoupled weight decay regularization", arXiv:1711.05101,
/// algorithm 2.
using AdamW = OptimizerOf<AdamWOptions>;

}  // namespace tapegrad::optim
