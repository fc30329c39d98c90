// The formula stands in the header. v - a^2 is a variance and may come out a rounding below zero; PyTorch
// takes its root as it is and gets NaN, here it counts as zero.
#include <tapegrad/optim/rmsprop.h>

#include <cmath>

#include "optim/group.h"
#include "optim/update.h"
#include "tensor/impl.h"

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
  detail::dispatch_float("RMSprop", gradient.dtype(), [&]<class T>(T) {
    T* p = slot.parameter.mutable_data<T>().data();
    T* v = slot.moments[0].mutable_data<T>().data();
    const T* grad = detail::ptr<T>(gradient);
    const int64_t n = gradient.numel();
    const T lr = T(this->lr(slot.group)), lambda = T(o.weight_decay), eps = T(o.eps), mu = T(o.momentum);
    const T alpha = T(o.alpha), rest = T(1 - o.alpha);
    const auto moment = [&](size_t i) { return slot.moments[i].mutable_data<T>().data(); };
    const auto variance = [](T x) { return x > 0 ? x : T(0); };
    if (!o.centered && o.momentum == 0) {
      for_each_element(n, [=](int64_t i) {
        const T g = grad[i] + lambda * p[i];
        v[i] = alpha * v[i] + rest * g * g;
        p[i] -= lr * g / (std::sqrt(v[i]) + eps);
      });
    } else if (!o.centered) {
      T* b = moment(1);
      for_each_element(n, [=](int64_t i) {
        const T g = grad[i] + lambda * p[i];
        v[i] = alpha * v[i] + rest * g * g;
        b[i] = mu * b[i] + g / (std::sqrt(v[i]) + eps);
        p[i] -= lr * b[i];
      });
    } else if (o.momentum == 0) {
      T* a = moment(1);
      for_each_element(n, [=](int64_t i) {
        const T g = grad[i] + lambda * p[i];
        v[i] = alpha * v[i] + rest * g * g;
        a[i] = alpha * a[i] + rest * g;
        p[i] -= lr * g / (std::sqrt(variance(v[i] - a[i] * a[i])) + eps);
      });
    } else {
      T *a = moment(1), *b = moment(2);
      for_each_element(n, [=](int64_t i) {
        const T g = grad[i] + lambda * p[i];
        v[i] = alpha * v[i] + rest * g * g;
        a[i] = alpha * a[i] + rest * g;
        b[i] = mu * b[i] + g / (std::sqrt(variance(v[i] - a[i] * a[i])) + eps);
        p[i] -= lr * b[i];
      });
    }
  });
}

}  // namespace tapegrad::optim
