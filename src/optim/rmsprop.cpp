// The formula stands in the header, its loop in kernels/optim.cpp.
#include <tapegrad/optim/rmsprop.h>

#include "compute/optim_step.h"
#include "optim/group.h"

namespace tapegrad::optim {

RMSprop::RMSprop(const ParameterList& parameters, RMSpropOptions options) : Optimizer("RMSprop") {
  add_group(parameters, options);
}

RMSprop::RMSprop(const std::vector<Group>& groups, RMSpropOptions options) : Optimizer("RMSprop") {
  for (const Group& group : groups) add_group(group.params, options_of(group, options));
}

void RMSprop::add_group(const ParameterList& parameters, RMSpropOptions options) {
  check_option("alpha", options.alpha, 0, 1);
  check_option("momentum", options.momentum, 0, 1);
  check_not_negative("eps", options.eps);
  check_not_negative("weight_decay", options.weight_decay);
  add_parameters(parameters, options.lr);
  options_.push_back(options);
}

std::vector<std::string> RMSprop::moment_names(size_t group) const {
  std::vector<std::string> names = {"square_avg"};
  if (options_[group].centered) names.push_back("grad_avg");
  if (options_[group].momentum > 0) names.push_back("momentum_buffer");
  return names;
}

void RMSprop::update(Slot& slot, const Tensor& gradient) {
  const RMSpropOptions& o = options_[slot.group];
  const compute::RmspropStep step = {.lr = lr(slot.group),
                                     .alpha = o.alpha,
                                     .eps = o.eps,
                                     .weight_decay = o.weight_decay,
                                     .momentum = o.momentum};
  Tensor none;
  Tensor& mean_g = o.centered ? slot.moments[1] : none;
  Tensor& buffer = o.momentum > 0 ? slot.moments[o.centered ? 2 : 1] : none;
  compute::rmsprop(step, gradient, slot.parameter, slot.moments[0], mean_g, buffer);
}

}  // namespace tapegrad::optim
