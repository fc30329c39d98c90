#include <tapegrad/record.h>

#include <mutex>
#include <set>

#include "core/fail.h"

namespace tapegrad {

namespace {
// Records keep the name as a pointer for as long as their tape lives.
const char* lasting(const std::string& name) {
  static std::mutex mutex;
  static std::set<std::string>& names = *new std::set<std::string>;
  std::lock_guard lock(mutex);
  return names.insert(name).first->c_str();
}
}  // namespace

Tensor custom_op(const std::string& name, const std::vector<Tensor>& inputs,
                 const std::function<Tensor()>& forward, std::function<Gradients(const Tensor& dy)> vjp) {
  const Tensor y = [&] {
    NoGrad no_grad;
    return forward();
  }();
  if (!y.defined()) fail<ValueError>(name, "the forward function returned an empty tensor");
  detail::SmallVector<detail::TensorPointer, 8> pointers;
  for (const Tensor& x : inputs) pointers.push_back(x);
  return record(lasting(name), y, pointers, [vjp = std::move(vjp)](const Tensor& dy) { return vjp(dy); });
}

}  // namespace tapegrad
