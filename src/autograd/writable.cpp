#include "autograd/writable.h"

#include <tapegrad/tape.h>

#include "core/fail.h"
#include "tensor/impl.h"

namespace tapegrad::detail {

void check_writable(const char* op, const Tensor& x) {
  if (!x.defined()) fail<ValueError>(op, "the tensor is an empty handle");
  if (x.is_recorded())
    fail<AutogradError>(op,
                        "a tensor that the tape recorded cannot be changed in place. Hint: write x = x + y "
                        "in place of x += y");
  if (x.requires_grad() && is_recording())
    fail<AutogradError>(op,
                        "a leaf cannot be changed in place while a tape records: its gradient would miss the "
                        "change. Hint: do it "
                        "after the tape's scope, or under NoGrad");
  if (!x.is_contiguous())
    fail<ShapeError>(op, "a strided view cannot be changed in place. Hint: change a clone()");
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
