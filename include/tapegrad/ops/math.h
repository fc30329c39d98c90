// File: ops/math.h
//
// Functions of one number, applied to every element. **Shape**: any, the same for input and output.
// **Throws** DtypeError unless the input is float32 or float64.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y = tanh(x), in (-1, 1).   dx = dy (1 - y^2).
Tensor tanh(const Tensor& x);

}  // namespace tapegrad
