// The formulas stand in the headers, their loops in kernels/optim.cpp.
#include <tapegrad/optim.h>

#include "compute/optim_step.h"
#include "optim/require.h"

namespace tapegrad::optim {

void AdagradOptions::check() const {
  require(lr_decay >= 0, name, "lr_decay must be finite and not negative", lr_decay);
  require(weight_decay >= 0, name, "weight_decay must be finite and not negative", weight_decay);
  require(initial_accumulator_value >= 0, name, "initial_accumulator_value must be finite and not negative",
          initial_accumulator_value);
  require(eps >= 0, name, "eps must be finite and not negative", eps);
}

std::vector<std::string> AdagradOptions::moment_names() const { return {"sum"}; }

void AdagradOptions::update(Optimizer::Slot& slot, const Tensor& gradient) const {
  if (slot.steps == 1) slot.moments[0].fill_(initial_accumulator_value);
  const compute::AdagradStep step = {
      .lr = lr, .lr_decay = lr_decay, .eps = eps, .weight_decay = weight_decay, .step = slot.steps};
  compute::adagrad(step, gradient, slot.parameter, slot.moments[0]);
}

void AdadeltaOptions::check() const {
  require(rho >= 0 && rho <= 1, name, "rho must be in [0, 1]", rho);
  require(eps >= 0, name, "eps must be finite and not negative", eps);
  require(weight_decay >= 0, name, "weight_decay must be finite and not negative", weight_decay);
}

std::vector<std::string> AdadeltaOptions::moment_names() const { return {"square_avg", "acc_delta"}; }

void AdadeltaOptions::update(Optimizer::Slot& slot, const Tensor& gradient) const {
  const compute::AdadeltaStep step = {.lr = lr, .rho = rho, .eps = eps, .weight_decay = weight_decay};
  compute::adadelta(step, gradient, slot.parameter, slot.moments[0], slot.moments[1]);
}

void RMSpropOptions::check() const {
  require(alpha >= 0 && alpha <= 1, name, "alpha must be in [0, 1]", alpha);
  require(momentum >= 0 && momentum <= 1, name, "momentum must be in [0, 1]", momentum);
  require(eps >= 0, name, "eps must be finite and not negative", eps);
  require(weight_decay >= 0, name, "weight_decay must be finite and not negative", weight_decay);
}

std::vector<std::string> RMSpropOptions::moment_names() const {
  std::vector<std::string> names = {"square_avg"};
  if (centered) names.push_back("grad_avg");
  if (momentum > 0) names.push_back("momentum_buffer");
  return names;
}

void RMSpropOptions::update(Optimizer::Slot& slot, const Tensor& gradient) const {
  const compute::RmspropStep step = {
      .lr = lr, .alpha = alpha, .eps = eps, .weight_decay = weight_decay, .momentum = momentum};
  Tensor none;
  Tensor& mean_g = centered ? slot.moments[1] : none;
  Tensor& buffer = momentum > 0 ? slot.moments[centered ? 2 : 1] : none;
  compute::rmsprop(step, gradient, slot.parameter, slot.moments[0], mean_g, buffer);
}

template <bool decoupled>
void AdamOptionsOf<decoupled>::check() const {
  for (double beta : betas) require(beta >= 0 && beta < 1, name, "betas must be in [0, 1)", beta);
  require(eps >= 0, name, "eps must be finite and not negative", eps);
  require(weight_decay >= 0, name, "weight_decay must be finite and not negative", weight_decay);
}

template <bool decoupled>
std::vector<std::string> AdamOptionsOf<decoupled>::moment_names() const {
  if (amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}

template <bool decoupled>
void AdamOptionsOf<decoupled>::update(Optimizer::Slot& slot, const Tensor& gradient) const {
  const compute::AdamStep step = {.lr = lr,
                                  .beta1 = betas[0],
                                  .beta2 = betas[1],
                                  .eps = eps,
                                  .weight_decay = weight_decay,
                                  .decoupled = decoupled,
                                  .step = slot.steps};
  compute::adam(step, gradient, slot.parameter, slot.moments[0], slot.moments[1], slot.moments[2]);
}

template struct AdamOptionsOf<false>;
template struct AdamOptionsOf<true>;

}  // namespace tapegrad::optim
