// The finite check: an observer that stops at the first value that is not finite.
#include "autograd/state.h"
#include "compute/arrays.h"
#include "core/fail.h"

namespace tapegrad::detail {

namespace {

std::string step_text(const OperationView& operation) {
  return operation.step < 0 ? "" : fmt::format(" at time step {}", operation.step);
}

class FiniteCheck : public TapeObserver {
  void on_forward(const OperationView& operation, const Tensors& inputs, const Tensors& outputs) override {
    if (std::all_of(outputs.begin(), outputs.end(), compute::all_finite)) return;
    std::string ranges;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Tensor& x = inputs[i];
      if (!x.defined()) continue;
      if (!compute::all_finite(x)) return;  // made elsewhere: whoever made it is named, not who passes it on
      if (!ranges.empty()) ranges += ", ";
      ranges += fmt::format("input {} {} in {}", i, x.shape(), compute::range_text(x));
    }
    fail<AutogradError>(operation.name, "made a value that is not finite{} from finite inputs: {}",
                        step_text(operation), ranges);
  }

  void on_loss(const Tensor& loss) override {
    if (!compute::all_finite(loss))
      fail<AutogradError>("backward", "the loss is not finite: it has values in {}",
                          compute::range_text(loss));
  }

  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) override {
    for (const Tensor& x : dy)
      if (x.defined() && !compute::all_finite(x)) return;
    for (size_t i = 0; i < dx.size(); ++i) {
      if (!dx[i].defined() || compute::all_finite(dx[i])) continue;
      const std::string module = operation.module();
      fail<AutogradError>("backward",
                          "{}{}{} made a gradient of input {} that is not finite from a finite one in {}",
                          operation.name, module.empty() ? "" : " in " + module, step_text(operation), i,
                          dy[0].defined() ? compute::range_text(dy[0]) : "[]");
    }
  }
};

}  // namespace

TapeObserver& finite_check() {
  static TapeObserver& check = *new FiniteCheck;
  return check;
}

}  // namespace tapegrad::detail
