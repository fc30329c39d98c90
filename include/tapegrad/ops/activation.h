// File: ops/activation.h
//
// Activations: the elementwise functions between the layers of a network. **Shape**: any, the same for input
// and output.
// **Throws** DtypeError unless the input is float32 or float64. NaN in is NaN out.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y = max(x, 0).   dx = dy where x > 0, else 0: at the kink 0, as in PyTorch.
Tensor relu(const Tensor& x);
/// y = x where x > 0, else negative_slope x.   dx = dy, or negative_slope dy; at the kink the latter.
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);

}  // namespace tapegrad
