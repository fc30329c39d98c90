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
/// y = x where x > 0, else weight x, with a learned slope: one for all, or one for each channel of axis 1.
/// dx = dy where x > 0, else weight dy, also at 0; dweight = sum of x dy over the elements with x <= 0. **Shape**: weight [1]
/// or [C]. **Throws** ShapeError for another weight. **Source**: He et al. 2015, arXiv:1502.01852, equation 1.
Tensor prelu(const Tensor& x, const Tensor& weight);

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
/// y = x tanh(softplus(x)).   dx = dy (t + x s (1 - t^2)), t = tanh(softplus(x)), s = sigmoid(x). **Numerics**: as
/// softplus(). **Source**: Misra 2019, arXiv:1908.08681.
Tensor mish(const Tensor& x);
/// y = a sigmoid(b), a and b the halves of x along an axis: b says how much of a passes.
/// da = dy sigmoid(b), db = dy a s (1 - s). **Shape**: y has half of the axis. **Throws** ShapeError for an odd size.
/// **Source**: Dauphin et al. 2017, arXiv:1612.08083.
Tensor glu(const Tensor& x, int64_t axis = -1);
/// y = ln(1 + e^x), a smooth relu.   dx = dy sigmoid(x). **Numerics**: no overflow for any x, so there is none of
/// PyTorch's threshold.
Tensor softplus(const Tensor& x);

}  // namespace tapegrad
