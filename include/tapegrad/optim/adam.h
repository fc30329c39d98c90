#pragma once
#include <array>

#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

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
