// The formula stands in the header, its loop in kernels/optim.cpp.
#include <tapegrad/optim/sgd.h>

#include "compute/optim_step.h"
#include "optim/group.h"

namespace tapegrad::optim {

SGD::SGD(const ParameterList& parameters, SGDOptions options) : Optimizer("SGD") {
  add_group(parameters, options);
}

SGD::SGD(const std::vector<Group>& groups, SGDOptions options) : Optimizer("SGD") {
  for (const Group& group : groups) add_group(group.params, options_of(group, options));
}

void SGD::add_group(const ParameterList& parameters, SGDOptions options) {
  check_option("momentum", options.momentum, 0, 1);
  check_option("dampening", options.dampening, 0, 1);
  check_not_negative("weight_decay", options.weight_decay);
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    reject("nesterov needs momentum > 0 and dampening = 0");
  add_parameters(parameters, options.lr);
  options_.push_back(options);
}

std::vector<std::string> SGD::moment_names(size_t group) const {
  if (options_[group].momentum == 0) return {};
  return {"momentum_buffer"};
}

void SGD::update(Slot& slot, const Tensor& gradient) {
  const SGDOptions& o = options_[slot.group];
  const compute::SgdStep step = {.lr = lr(slot.group),
                                 .momentum = o.momentum,
                                 .dampening = o.dampening,
                                 .weight_decay = o.weight_decay,
                                 .nesterov = o.nesterov,
                                 .first = slot.steps == 1};
  compute::sgd(step, gradient, slot.parameter, slot.moments[0]);
}

}  // namespace tapegrad::optim
