// The formula stands in the header, its loop in kernels/optim.cpp.
#include <tapegrad/optim/sgd.h>

#include "compute/optim_step.h"
#include "optim/require.h"

namespace tapegrad::optim {

void SGDOptions::check() const {
  require(momentum >= 0 && momentum <= 1, name, "momentum must be in [0, 1]", momentum);
  require(dampening >= 0 && dampening <= 1, name, "dampening must be in [0, 1]", dampening);
  require(weight_decay >= 0, name, "weight_decay must be finite and not negative", weight_decay);
  if (nesterov && (momentum == 0 || dampening != 0))
    fail<ValueError>(name, "nesterov needs momentum > 0 and dampening = 0");
}

std::vector<std::string> SGDOptions::moment_names() const {
  if (momentum == 0) return {};
  return {"momentum_buffer"};
}

void SGDOptions::update(Optimizer::Slot& slot, const Tensor& gradient) const {
  const compute::SgdStep step = {.lr = lr,
                                 .momentum = momentum,
                                 .dampening = dampening,
                                 .weight_decay = weight_decay,
                                 .nesterov = nesterov,
                                 .first = slot.steps == 1 && !zero_start};
  compute::sgd(step, gradient, slot.parameter, slot.moments[0]);
}

}  // namespace tapegrad::optim
