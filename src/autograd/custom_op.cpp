#include "autograd/state.h"
#include "core/fail.h"

namespace tapegrad {

Tensor custom_op(const std::string& name, const std::vector<Tensor>& inputs,
                 const std::function<Tensor()>& forward, std::function<Gradients(const Tensor& dy)> vjp) {
  const Tensor y = [&] {
    NoGrad no_grad;
    return forward();
  }();
  if (!y.defined()) fail<ValueError>(name, "the forward function returned an empty tensor");
  return record(detail::lasting(name), y, detail::InputList(inputs.begin(), inputs.end()),
                [vjp = std::move(vjp)](const Tensor& dy) { return vjp(dy); });
}

}  // namespace tapegrad
