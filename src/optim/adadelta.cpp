// The formula stands in the header, its loop in kernels/optim.cpp.
#include <tapegrad/optim/adadelta.h>

#include "kernels/optim.h"
#include "optim/group.h"
#include "optim/update.h"

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
  const kernels::AdadeltaStep step = {
      .lr = lr(slot.group), .rho = o.rho, .eps = o.eps, .weight_decay = o.weight_decay};
  detail::dispatch_float("Adadelta", gradient.dtype(), [&]<class T>(T) {
    const T* g = detail::ptr<T>(gradient);
    T* p = numbers_of<T>(slot.parameter);
    T* v = numbers_of<T>(slot.moments[0]);
    T* delta = numbers_of<T>(slot.moments[1]);
    for_each_chunk(gradient.numel(),
                   [=](int64_t i, int64_t n) { kernels::adadelta(n, step, g + i, p + i, v + i, delta + i); });
  });
}

}  // namespace tapegrad::optim
