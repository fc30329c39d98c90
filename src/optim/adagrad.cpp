// The formula stands in the header.
#include <tapegrad/optim/adagrad.h>

#include <cmath>

#include "optim/group.h"
#include "optim/update.h"
#include "tensor/impl.h"

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
  const double rate = lr(slot.group) / (1 + double(slot.steps - 1) * o.lr_decay);
  detail::dispatch_float("Adagrad", gradient.dtype(), [&]<class T>(T) {
    T* p = slot.parameter.mutable_data<T>().data();
    T* s = slot.moments[0].mutable_data<T>().data();
    const T* grad = detail::ptr<T>(gradient);
    const T lr = T(rate), lambda = T(o.weight_decay), eps = T(o.eps);
    for_each_element(gradient.numel(), [=](int64_t i) {
      const T g = grad[i] + lambda * p[i];
      s[i] += g * g;
      p[i] -= lr * g / (std::sqrt(s[i]) + eps);
    });
  });
}

}  // namespace tapegrad::optim
