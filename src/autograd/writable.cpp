#include "autograd/writable.h"

#include <tapegrad/tape.h>

#include "core/fail.h"
#include "tensor/impl.h"

namespace tapegrad::detail {

namespace {
constexpr const char* kInstead = "write x = x + y in place of x += y, where() or index_put() in place of copy_()";
}

void check_writable(const char* op, const Tensor& x) {
  if (!x.defined()) fail<ValueError>(op, "the tensor is an empty handle");
  if (x.is_recorded())
    fail<AutogradError>(op, "a tensor that the tape recorded cannot be changed in place. Hint: {}", kInstead);
  if (x.requires_grad() && is_recording())
    fail<AutogradError>(op,
                        "a leaf cannot be changed in place while a tape records: its gradient would miss the "
                        "change. Hint: do it "
                        "after the tape's scope, or under NoGrad");
  for (int64_t i = 0; i < x.dim() && x.numel() > 0; ++i)
    if (x.strides()[i] == 0 && x.shape()[i] > 1)
      fail<ShapeError>(op,
                       "an expanded view cannot be changed in place: its elements share memory along axis {}. "
                       "Hint: change a clone()",
                       i);
}

void check_written(const char* op, const Tensor& y) {
  if (is_recording() && (y.requires_grad() || y.is_recorded()))
    fail<AutogradError>(op,
                        "the tape cannot follow a change in place: the gradient of the right side would be lost. "
                        "Hint: {}, or use y.detach() if it is meant as a value",
                        kInstead);
}

}  // namespace tapegrad::detail

namespace tapegrad {

Tensor& Tensor::set_requires_grad(bool requires_grad) {
  if (const Dtype type = dtype(); requires_grad && !is_floating(type))
    fail<DtypeError>("requires_grad", "only float32 and float64 have gradients, got {}", type);
  if (is_recorded())
    fail<AutogradError>("requires_grad",
                        "this tensor was made by an operation on a live tape and has its gradient "
                        "there. Hint: use tape.gradient(loss, {{x}}), or detach() to make it a leaf");
  impl_->requires_grad = requires_grad;
  return *this;
}

}  // namespace tapegrad
