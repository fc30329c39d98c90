#include <mutex>
#include <set>

#include "autograd/state.h"
#include "core/fail.h"

namespace tapegrad {

const char* detail::lasting(std::string_view text) {
  static std::mutex mutex;
  static std::set<std::string>& texts = *new std::set<std::string>;
  std::lock_guard lock(mutex);
  return texts.emplace(text).first->c_str();
}

Tensor custom_op(const std::string& name, const std::vector<Tensor>& inputs,
                 const std::function<Tensor()>& forward, std::function<Gradients(const Tensor& dy)> vjp) {
  const Tensor y = [&] {
    NoGrad no_grad;
    return forward();
  }();
  if (!y.defined()) fail<ValueError>(name, "the forward function returned an empty tensor");
  detail::SmallVector<detail::TensorPointer, 8> pointers;
  for (const Tensor& x : inputs) pointers.push_back(x);
  return record(detail::lasting(name), y, pointers,
                [vjp = std::move(vjp)](const Tensor& dy) { return vjp(dy); });
}

}  // namespace tapegrad
