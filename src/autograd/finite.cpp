// The finite check: an observer that stops at the first value that is not finite, made on the tape or come from outside.
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
      if (const int64_t count = compute::nan_count(x); count > 0 && !x.is_recorded())
        fail<AutogradError>(operation.name,
                            "input {} came with NaN in {} of {} values{}. Hint: no operation on this tape made "
                            "it, look for it in the data and in the parameters",
                            i, count, x.numel(), step_text(operation));
      if (!compute::all_finite(x)) return;  // an infinity from outside, which may be meant: a mask
      if (!ranges.empty()) ranges += ", ";
      ranges += fmt::format("input {} {} in {}", i, x.shape(), compute::range_text(x));
    }
    fail<AutogradError>(operation.name, "made a value that is not finite{} from finite inputs: {}",
                        step_text(operation), ranges);
  }

  void on_loss(const Tensor& loss) override {
    if (compute::all_finite(loss)) return;
    fail<AutogradError>("backward",
                        "the loss is {}. Hint: no operation made that of finite values, look for an infinity "
                        "in the data and in the parameters",
                        compute::nan_count(loss) > 0 ? "NaN" : "infinite");
  }

  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors& dx) override {
    for (const Tensor& x : dy)
      if (x.defined() && !compute::all_finite(x)) return;
    for (size_t i = 0; i < dx.size(); ++i) {
      if (!dx[i].defined() || compute::all_finite(dx[i])) continue;
      const std::string module = operation.module();
      fail<AutogradError>("backward", "{}{}{} made a gradient of input {} that is not finite from a finite one in {}",
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
