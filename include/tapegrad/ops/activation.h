// Activations: the elementwise functions between the layers of a network. **Shape** (all of them): any, the same for
// input and output. **Throws** (all of them) DtypeError unless the input is float32 or float64. **Numerics**: NaN in is NaN
// out; errors are those of math.h.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y = max(x, 0).   dx = dy where x > 0, else 0: at the kink 0, as in PyTorch.
Tensor relu(const Tensor& x);
/// y = x where x > 0, else negative_slope x, a slope of any sign.   dx = dy where x > 0, else negative_slope dy, also at the
/// kink. The gradient at a NaN is dy, in PyTorch negative_slope dy.
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
/// y = x where x > 0, else alpha (e^x - 1), which tends to -alpha.   dx = dy where x > 0, else dy alpha e^x, also at 0.
/// **Numerics**: e^x - 1 is exact to rounding near 0. **Source**: Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289, equation 15.
Tensor elu(const Tensor& x, double alpha = 1.0);

struct GeluOptions {
  bool approximate = false;  ///< P(x) by tanh instead of erf: PyTorch's approximate="tanh"
};
/// y = x P(x), P the normal distribution function.   dx = dy (P(x) + x p(x)), p its density. P(x) is
/// (1 + erf(x / sqrt 2)) / 2, or with `approximate` (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, and the gradient is
/// that of the formula taken. **Source**: Hendrycks, Gimpel 2016, "Gaussian error linear units", arXiv:1606.08415.
Tensor gelu(const Tensor& x, GeluOptions options = {});

/// y = 1 / (1 + e^-x), in (0, 1).   dx = dy y (1 - y). **Numerics**: no overflow for any x.
Tensor sigmoid(const Tensor& x);
/// y = x sigmoid(x), also called swish.   dx = dy (s + x s (1 - s)), s = sigmoid(x). **Numerics**: as sigmoid().
/// **Source**: Elfwing, Uchibe, Doya 2018, arXiv:1702.03118.
Tensor silu(const Tensor& x);
/// y = ln(1 + e^x), a smooth relu.   dx = dy sigmoid(x). **Numerics**: no overflow for any x, so there is none of
/// PyTorch's threshold.
Tensor softplus(const Tensor& x);

}  // namespace tapegrad
