// The formula stands in the header. One loop for all forms: without momentum b is g and is not stored, and
// nesterov takes g + mu b for b.
#include <tapegrad/optim/sgd.h>

#include "optim/group.h"
#include "optim/update.h"
#include "tensor/impl.h"

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
  detail::dispatch_float("SGD", gradient.dtype(), [&]<class T>(T) {
    T* p = slot.parameter.mutable_data<T>().data();
    const T* grad = detail::ptr<T>(gradient);
    const T lr = T(this->lr(slot.group)), lambda = T(o.weight_decay);
    if (o.momentum == 0) {
      for_each_element(gradient.numel(), [=](int64_t i) { p[i] -= lr * (grad[i] + lambda * p[i]); });
      return;
    }
    T* buffer = slot.moments[0].mutable_data<T>().data();
    const T mu = T(o.momentum), share = slot.steps == 1 ? T(1) : T(1 - o.dampening);
    if (o.nesterov) {
      for_each_element(gradient.numel(), [=](int64_t i) {
        const T g = grad[i] + lambda * p[i];
        const T b = mu * buffer[i] + share * g;
        buffer[i] = b;
        p[i] -= lr * (g + mu * b);
      });
    } else {
      for_each_element(gradient.numel(), [=](int64_t i) {
        const T b = mu * buffer[i] + share * (grad[i] + lambda * p[i]);
        buffer[i] = b;
        p[i] -= lr * b;
      });
    }
  });
}

}  // namespace tapegrad::optim
