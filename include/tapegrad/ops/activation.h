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
/// y = x where x > 0, else alpha (e^x - 1).   dx = dy where x > 0, else dy alpha e^x.
/// **Source**: Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289, equation 15.
Tensor elu(const Tensor& x, double alpha = 1.0);

struct GeluOptions {
  bool approximate = false;  ///< P(x) by tanh instead of erf: PyTorch's approximate="tanh"
};
/// y = x P(x), P the normal distribution function.   dx = dy (P(x) + x p(x)), p its density.
/// **Source**: Hendrycks, Gimpel 2016, "Gaussian error linear units", arXiv:1606.08415.
Tensor gelu(const Tensor& x, GeluOptions options = {});

/// y = 1 / (1 + e^-x), in (0, 1).   dx = dy y (1 - y). **Numerics**: no overflow for any x.
Tensor sigmoid(const Tensor& x);
/// y = x sigmoid(x), also called swish.   dx = dy (s + x s (1 - s)), s = sigmoid(x).
/// **Source**: Elfwing, Uchibe, Doya 2018, arXiv:1702.03118.
Tensor silu(const Tensor& x);
/// y = ln(1 + e^x).   dx = dy sigmoid(x). **Numerics**: no overflow for any x, and none of PyTorch's
/// threshold.
Tensor softplus(const Tensor& x);

}  // namespace tapegrad
