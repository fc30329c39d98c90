// The formula stands in the header, its loop in kernels/optim.cpp.
#include <tapegrad/optim/adadelta.h>

#include "compute/optim_step.h"
#include "optim/group.h"

namespace tapegrad::optim {

Adadelta::Adadelta(const ParameterList& parameters, AdadeltaOptions options) : Optimizer("Adadelta") {
  add_group(parameters, options);
}

Adadelta::Adadelta(const std::vector<Group>& groups, AdadeltaOptions options) : Optimizer("Adadelta") {
  for (const Group& group : groups) add_group(group.params, options_of(group, options));
}

void Adadelta::add_group(const ParameterList& parameters, AdadeltaOptions options) {
  check_option("rho", options.rho, 0, 1);
  check_not_negative("eps", options.eps);
  check_not_negative("weight_decay", options.weight_decay);
  add_parameters(parameters, options.lr);
  options_.push_back(options);
}

std::vector<std::string> Adadelta::moment_names(size_t) const {
  return {"square_avg", "acc_delta"};
}

void Adadelta::update(Slot& slot, const Tensor& gradient) {
  const AdadeltaOptions& o = options_[slot.group];
  const compute::AdadeltaStep step = {
      .lr = lr(slot.group), .rho = o.rho, .eps = o.eps, .weight_decay = o.weight_decay};
  compute::adadelta(step, gradient, slot.parameter, slot.moments[0], slot.moments[1]);
}

}  // namespace tapegrad::optim
