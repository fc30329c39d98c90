// The formula stands in the header. Weight decay costs no branch in the loop: lambda p is added to the
// gradient (Adam) or p is multiplied by 1 - lr lambda (AdamW), and the other constant is 0 or 1.
//
// The corrections of the bias are the same for all elements and are computed once, in float64: 1 - beta2^t is
// 1e-3 at t = 1, which float32 would leave with four digits.
#include <tapegrad/optim/adam.h>

#include <algorithm>
#include <cmath>

#include "optim/group.h"
#include "optim/update.h"
#include "tensor/impl.h"

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
  const double rate = lr(slot.group), t = double(slot.steps);
  const double correction1 = 1 - std::pow(o.betas[0], t), correction2 = 1 - std::pow(o.betas[1], t);
  const bool decoupled = decay_ == Decay::decoupled;
  detail::dispatch_float("Adam", gradient.dtype(), [&]<class T>(T) {
    T* p = slot.parameter.mutable_data<T>().data();
    T* m = slot.moments[0].mutable_data<T>().data();
    T* v = slot.moments[1].mutable_data<T>().data();
    const T* grad = detail::ptr<T>(gradient);
    const T beta1 = T(o.betas[0]), rest1 = T(1 - o.betas[0]);
    const T beta2 = T(o.betas[1]), rest2 = T(1 - o.betas[1]);
    const T size = T(rate / correction1), scale = T(1 / std::sqrt(correction2)), eps = T(o.eps);
    const T lambda = decoupled ? T(0) : T(o.weight_decay);
    const T shrink = decoupled ? T(1 - rate * o.weight_decay) : T(1);
    if (o.amsgrad) {
      T* largest = slot.moments[2].mutable_data<T>().data();
      for_each_element(gradient.numel(), [=](int64_t i) {
        const T g = grad[i] + lambda * p[i];
        const T mean = beta1 * m[i] + rest1 * g;
        const T square = beta2 * v[i] + rest2 * g * g;
        const T w = largest[i] > square ? largest[i] : square;
        m[i] = mean;
        v[i] = square;
        largest[i] = w;
        p[i] = shrink * p[i] - size * mean / (std::sqrt(w) * scale + eps);
      });
    } else {
      for_each_element(gradient.numel(), [=](int64_t i) {
        const T g = grad[i] + lambda * p[i];
        const T mean = beta1 * m[i] + rest1 * g;
        const T square = beta2 * v[i] + rest2 * g * g;
        m[i] = mean;
        v[i] = square;
        p[i] = shrink * p[i] - size * mean / (std::sqrt(square) * scale + eps);
      });
    }
  });
}

}  // namespace tapegrad::optim
