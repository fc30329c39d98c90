// The formula stands in the header.
#include <tapegrad/optim/adadelta.h>

#include <cmath>

#include "optim/group.h"
#include "optim/update.h"
#include "tensor/impl.h"

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
  detail::dispatch_float("Adadelta", gradient.dtype(), [&]<class T>(T) {
    T* p = slot.parameter.mutable_data<T>().data();
    T* v = slot.moments[0].mutable_data<T>().data();
    T* u = slot.moments[1].mutable_data<T>().data();
    const T* grad = detail::ptr<T>(gradient);
    const T lr = T(this->lr(slot.group)), lambda = T(o.weight_decay), eps = T(o.eps);
    const T rho = T(o.rho), rest = T(1 - o.rho);
    for_each_element(gradient.numel(), [=](int64_t i) {
      const T g = grad[i] + lambda * p[i];
      const T square = rho * v[i] + rest * g * g;
      const T d = std::sqrt(u[i] + eps) / std::sqrt(square + eps) * g;
      v[i] = square;
      u[i] = rho * u[i] + rest * d * d;
      p[i] -= lr * d;
    });
  });
}

}  // namespace tapegrad::optim
