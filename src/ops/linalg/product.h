// The matrix product under matmul() and linear(): tensors of any strides to what BLAS takes.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y = a b + beta y for the last two axes, batch by batch; a's and b's leading axes broadcast to y's. y is
/// contiguous. Nothing is recorded. Throws ShapeError if a size does not fit BLAS.
void multiply(const char* op, const Tensor& a, const Tensor& b, double beta, const Tensor& y);

}  // namespace tapegrad
