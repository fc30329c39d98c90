// Matrix products: tensors of any strides, as the kernel takes them.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::compute {

/// y = a b + beta y for the last two axes, batch by batch; a's and b's leading axes broadcast to y's. y is
/// contiguous. Throws ShapeError if a size does not fit BLAS.
void multiply(const char* op, const Tensor& a, const Tensor& b, double beta, const Tensor& y);

/// y = x weight^T + bias for x [N, in], weight [out, in] and bias [out], which may be undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace tapegrad::compute
