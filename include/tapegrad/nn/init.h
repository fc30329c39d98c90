// Initial values of parameters. Each function writes to the tensor in place and returns it:
//
//   nn::Parameter weight = add_parameter("weight", init::xavier_uniform(empty({out, in})));
//
// Random numbers come from default_generator(). **Throws** (all of them) AutogradError on a leaf while a tape
// records, which would miss the change; ShapeError where the fans are needed and the tensor has less than two
// axes; ValueError for a negative deviation or an empty range.
//
// The fans of a weight [out, in, ...] are fan_in = in * (product of ...) and fan_out = out * (the same).
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::nn::init {

/// Uniform in [low, high).
Tensor uniform(Tensor x, double low = 0, double high = 1);
/// Normal with this mean and standard deviation.
Tensor normal(Tensor x, double mean = 0, double std = 1);
/// `value` everywhere.
Tensor constant(Tensor x, double value);
/// 0 everywhere, as for biases.
Tensor zeros(Tensor x);
/// 1 everywhere, as for the gains of a normalization.
Tensor ones(Tensor x);
/// Ones on the diagonal of a matrix, which need not be square.
Tensor eye(Tensor x);

/// What follows the layer: its gain keeps the variance of the signal as it goes forward.
enum class Nonlinearity { linear, sigmoid, tanh, relu, leaky_relu, selu };

/// linear and sigmoid 1, tanh 5/3, relu sqrt(2), leaky_relu sqrt(2 / (1 + negative_slope^2)), selu 3/4.
double gain(Nonlinearity nonlinearity, double negative_slope = 0.01);

struct XavierOptions {
  double gain = 1;  ///< see gain()
};

/// Uniform in +-gain sqrt(6 / (fan_in + fan_out)): the variance of signals stays about the same forward and
/// of gradients backward. **Source**: Glorot, Bengio 2010, Understanding the difficulty of training deep
/// feedforward neural networks, equation 16.
Tensor xavier_uniform(Tensor x, XavierOptions options = {});
/// Normal with standard deviation gain sqrt(2 / (fan_in + fan_out)). **Source**: as xavier_uniform().
Tensor xavier_normal(Tensor x, XavierOptions options = {});

/// Which of the two is kept: the variance of the signal forward, or of the gradient backward.
enum class Fan { in, out };

struct KaimingOptions {
  double a = 0;        ///< negative slope of the leaky_relu that follows
  Fan mode = Fan::in;  ///< the fan to divide by
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};

/// Uniform in +-gain sqrt(3 / fan). **Source**: He, Zhang, Ren, Sun 2015, Delving Deep into Rectifiers,
/// arXiv:1502.01852, equation 10.
Tensor kaiming_uniform(Tensor x, KaimingOptions options = {});
/// Normal with standard deviation gain / sqrt(fan). **Source**: as kaiming_uniform().
Tensor kaiming_normal(Tensor x, KaimingOptions options = {});

/// A random (semi-)orthogonal matrix [rows, the other axes], times gain: orthonormal rows, or columns where
/// there are more rows than columns. **Source**: Saxe, McClelland, Ganguli 2013, arXiv:1312.6120.
Tensor orthogonal(Tensor x, double gain = 1);

/// Biases [4 H] of an LSTM (gate order i, f, g, o) that make it remember over times between 1 and t_max:
/// b_f = ln u with u uniform in [1, t_max - 1), b_i = -b_f, the others 0. Of a layer's two biases one gets
/// this and the other zeros. **Throws** ShapeError unless the bias has 4 H elements, ValueError unless t_max
/// is greater than 2. **Source**: Tallec, Ollivier 2018, Can recurrent neural networks warp time?,
/// arXiv:1804.11188, equation 16.
Tensor chrono(Tensor bias, double t_max);

}  // namespace tapegrad::nn::init
