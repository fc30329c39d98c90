// Activations as modules, for Sequential; each calls the operation of the same name, whose numerics and source
// are in ops/activation.h. No parameters but PReLU's. **Shape**: x [...], y the same. **Throws** DtypeError unless x is
// floating.
#pragma once
#include <fmt/format.h>

#include <tuple>

#include <tapegrad/nn/module.h>
#include <tapegrad/ops/activation.h>
#include <tapegrad/ops/math.h>
#include <tapegrad/ops/reduce.h>

namespace tapegrad::nn {

namespace detail {

/// y = f(x, options...); `text` describes the options.
template <class Derived, auto f, class... Options>
struct Activation : Module<Derived> {
  explicit Activation(const Options&... options, std::string text = {})
      : Module<Derived>(typename Module<Derived>::Between()), options_(options...) {
    this->describe(std::move(text));
  }
  Tensor forward(const Tensor& x) {
    return std::apply([&](const Options&... options) { return f(x, options...); }, options_);
  }

 private:
  std::tuple<Options...> options_;
};

}  // namespace detail

/// y = max(x, 0).   dx = dy where x > 0, else 0, at the kink too.
struct ReLU : detail::Activation<ReLU, tapegrad::relu> {};

/// y = 1 / (1 + e^-x).   dx = dy y (1 - y).
struct Sigmoid : detail::Activation<Sigmoid, tapegrad::sigmoid> {};

/// y = x sigmoid(x).   dx = dy s (1 + x (1 - s)) with s = sigmoid(x).
struct SiLU : detail::Activation<SiLU, tapegrad::silu> {};

/// y = x tanh(softplus(x)).
struct Mish : detail::Activation<Mish, tapegrad::mish> {};

/// y = log(1 + e^x).   dx = dy sigmoid(x).
struct Softplus : detail::Activation<Softplus, tapegrad::softplus> {};

/// y = tanh(x).   dx = dy (1 - y^2).
struct Tanh : detail::Activation<Tanh, tapegrad::tanh> {};

/// y = x where x > 0, else negative_slope x.   dx = dy, or negative_slope dy.
struct LeakyReLU : detail::Activation<LeakyReLU, tapegrad::leaky_relu, double> {
  explicit LeakyReLU(double negative_slope = 0.01)
      : Activation(negative_slope, fmt::format("negative_slope={}", negative_slope)) {}
};

/// y = x where x > 0, else alpha (e^x - 1).   dx = dy, or dy alpha e^x.
struct ELU : detail::Activation<ELU, tapegrad::elu, double> {
  explicit ELU(double alpha = 1) : Activation(alpha, fmt::format("alpha={}", alpha)) {}
};

/// y = x P(x) with P the normal distribution function, or its approximation by tanh.
/// dx = dy (P(x) + x p(x)), p its density.
struct GELU : detail::Activation<GELU, tapegrad::gelu, GeluOptions> {
  explicit GELU(GeluOptions options = {}) : Activation(options, options.approximate ? "approximate=true" : "") {}
};

/// y = e^x / sum of e^x along one axis, which PyTorch calls dim: probabilities.
/// dx = y (dy - sum of dy y along the axis). **Throws** IndexError if x has no such axis. For a loss give
/// cross_entropy the logits instead.
struct Softmax : detail::Activation<Softmax, tapegrad::softmax, int64_t> {
  explicit Softmax(int64_t axis = -1) : Activation(axis, fmt::format("axis={}", axis)) {}
};

/// y = ln softmax(x) along one axis, without the loss of digits of the two in a row. dx = dy - e^y sum of dy along the
/// axis. **Throws** as Softmax.
struct LogSoftmax : detail::Activation<LogSoftmax, tapegrad::log_softmax, int64_t> {
  explicit LogSoftmax(int64_t axis = -1) : Activation(axis, fmt::format("axis={}", axis)) {}
};

/// y = a sigmoid(b), a and b the halves of x along one axis. **Shape**: y has half of the axis. **Throws** ShapeError for
/// an odd size.
struct GLU : detail::Activation<GLU, tapegrad::glu, int64_t> {
  explicit GLU(int64_t axis = -1) : Activation(axis, fmt::format("axis={}", axis)) {}
};

struct PReLUOptions {
  double init = 0.25;  ///< of every slope
};

/// y = x where x > 0, else weight x, with a learned slope: one for all, or one for each channel of axis 1.
/// **Shape**: weight [num_parameters]. **Throws** ValueError unless num_parameters is positive, ShapeError where it is not
/// 1 and not the size of axis 1. **Gradient**, **Source**: see prelu().
struct PReLU : Module<PReLU> {
  explicit PReLU(int64_t num_parameters = 1, PReLUOptions options = {});
  Tensor forward(const Tensor& x) { return prelu(x, weight); }

  Parameter weight;
};

/// y = x: in the place of a part that is left out.
struct Identity : Module<Identity> {
  Tensor forward(const Tensor& x) { return x; }
};

}  // namespace tapegrad::nn
