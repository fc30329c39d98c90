// The formula stands in the header, its loop in kernels/optim.cpp.
#include <tapegrad/optim/adagrad.h>

#include "compute/optim_step.h"
#include "optim/group.h"

namespace tapegrad::optim {

Adagrad::Adagrad(const ParameterList& parameters, AdagradOptions options) : Optimizer("Adagrad") {
  add_group(parameters, options);
}

Adagrad::Adagrad(const std::vector<Group>& groups, AdagradOptions options) : Optimizer("Adagrad") {
  for (const Group& group : groups) add_group(group.params, options_of(group, options));
}

void Adagrad::add_group(const ParameterList& parameters, AdagradOptions options) {
  check_not_negative("lr_decay", options.lr_decay);
  check_not_negative("weight_decay", options.weight_decay);
  check_not_negative("initial_accumulator_value", options.initial_accumulator_value);
  check_not_negative("eps", options.eps);
  add_parameters(parameters, options.lr);
  options_.push_back(options);
}

std::vector<std::string> Adagrad::moment_names(size_t) const {
  return {"sum"};
}

double Adagrad::initial_moment(size_t group) const {
  return options_[group].initial_accumulator_value;
}

void Adagrad::update(Slot& slot, const Tensor& gradient) {
  const AdagradOptions& o = options_[slot.group];
  const compute::AdagradStep step = {.lr = lr(slot.group),
                                     .lr_decay = o.lr_decay,
                                     .eps = o.eps,
                                     .weight_decay = o.weight_decay,
                                     .step = slot.steps};
  compute::adagrad(step, gradient, slot.parameter, slot.moments[0]);
}

}  // namespace tapegrad::optim
