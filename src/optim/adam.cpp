// The formula stands in the header, its loop in kernels/optim.cpp. AdamW is the same loop with the decay
// elsewhere.
#include <tapegrad/optim/adam.h>

#include "compute/optim_step.h"
#include "optim/group.h"

namespace tapegrad::optim {

namespace {

AdamOptions adam_options(const AdamWOptions& o) {
  return {o.lr, o.betas, o.eps, o.weight_decay, o.amsgrad};
}

}  // namespace

Adam::Adam(const ParameterList& parameters, AdamOptions options) : Optimizer("Adam") {
  add_group(parameters, options);
}

Adam::Adam(const std::vector<Group>& groups, AdamOptions options) : Optimizer("Adam") {
  for (const Group& group : groups) add_group(group.params, options_of(group, options));
}

AdamW::AdamW(const ParameterList& parameters, AdamWOptions options) : Adam("AdamW", Decay::decoupled) {
  add_group(parameters, options);
}

AdamW::AdamW(const std::vector<Group>& groups, AdamWOptions options) : Adam("AdamW", Decay::decoupled) {
  for (const Group& group : groups) add_group(group.params, options_of(group, options));
}

void AdamW::add_group(const ParameterList& parameters, AdamWOptions options) {
  Adam::add_group(parameters, adam_options(options));
}

void Adam::add_group(const ParameterList& parameters, AdamOptions options) {
  for (double beta : options.betas)
    if (!(beta >= 0 && beta < 1)) reject(fmt::format("betas must be in [0, 1), got {}", beta));
  check_not_negative("eps", options.eps);
  check_not_negative("weight_decay", options.weight_decay);
  add_parameters(parameters, options.lr);
  options_.push_back(options);
}

std::vector<std::string> Adam::moment_names(size_t group) const {
  if (options_[group].amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}

void Adam::update(Slot& slot, const Tensor& gradient) {
  const AdamOptions& o = options_[slot.group];
  const compute::AdamStep step = {.lr = lr(slot.group),
                                  .beta1 = o.betas[0],
                                  .beta2 = o.betas[1],
                                  .eps = o.eps,
                                  .weight_decay = o.weight_decay,
                                  .decoupled = decay_ == Decay::decoupled,
                                  .step = slot.steps};
  compute::adam(step, gradient, slot.parameter, slot.moments[0], slot.moments[1], slot.moments[2]);
}

}  // namespace tapegrad::optim
