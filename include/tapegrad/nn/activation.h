// Activations as modules, for Sequential; each calls the operation of the same name, whose numerics and source
// are in ops/activation.h. No parameters but PReLU's. **Shape**: x [...], y the same. **Throws** DtypeError unless x is
// floating.
#pragma once
#include <fmt/format.h>

#include <tapegrad/nn/module.h>
#include <tapegrad/ops/activation.h>
#include <tapegrad/ops/math.h>
#include <tapegrad/ops/reduce.h>

namespace tapegrad::nn {

/// y = max(x, 0).   dx = dy where x > 0, else 0, at the kink too.
struct ReLU : Module<ReLU> {
  Tensor forward(const Tensor& x) { return relu(x); }
};

/// y = 1 / (1 + e^-x).   dx = dy y (1 - y).
struct Sigmoid : Module<Sigmoid> {
  Tensor forward(const Tensor& x) { return sigmoid(x); }
};

/// y = x sigmoid(x).   dx = dy s (1 + x (1 - s)) with s = sigmoid(x).
struct SiLU : Module<SiLU> {
  Tensor forward(const Tensor& x) { return silu(x); }
};

/// y = x tanh(softplus(x)).
struct Mish : Module<Mish> {
  Tensor forward(const Tensor& x) { return mish(x); }
};

/// y = log(1 + e^x).   dx = dy sigmoid(x).
struct Softplus : Module<Softplus> {
  Tensor forward(const Tensor& x) { return softplus(x); }
};

/// y = tanh(x).   dx = dy (1 - y^2).
struct Tanh : Module<Tanh> {
  Tensor forward(const Tensor& x) { return tanh(x); }
};

/// y = x where x > 0, else negative_slope x.   dx = dy, or negative_slope dy.
struct LeakyReLU : Module<LeakyReLU> {
  explicit LeakyReLU(double negative_slope = 0.01) : negative_slope_(negative_slope) {
    describe(fmt::format("negative_slope={}", negative_slope));
  }
  Tensor forward(const Tensor& x) { return leaky_relu(x, negative_slope_); }

 private:
  double negative_slope_;
};

/// y = x where x > 0, else alpha (e^x - 1).   dx = dy, or dy alpha e^x.
struct ELU : Module<ELU> {
  explicit ELU(double alpha = 1) : alpha_(alpha) { describe(fmt::format("alpha={}", alpha)); }
  Tensor forward(const Tensor& x) { return elu(x, alpha_); }

 private:
  double alpha_;
};

/// y = x P(x) with P the normal distribution function, or its approximation by tanh.
/// dx = dy (P(x) + x p(x)), p its density.
struct GELU : Module<GELU> {
  explicit GELU(GeluOptions options = {}) : options_(options) {
    if (options.approximate) describe("approximate=true");
  }
  Tensor forward(const Tensor& x) { return gelu(x, options_); }

 private:
  GeluOptions options_;
};

/// y = e^x / sum of e^x along one axis, which PyTorch calls dim: probabilities.
/// dx = y (dy - sum of dy y along the axis). **Throws** IndexError if x has no such axis. For a loss give
/// cross_entropy the logits instead.
struct Softmax : Module<Softmax> {
  explicit Softmax(int64_t axis = -1) : axis_(axis) { describe(fmt::format("axis={}", axis)); }
  Tensor forward(const Tensor& x) { return softmax(x, axis_); }

 private:
  int64_t axis_;
};

/// y = ln softmax(x) along one axis, without the loss of digits of the two in a row. dx = dy - e^y sum of dy along the
/// axis. **Throws** as Softmax.
struct LogSoftmax : Module<LogSoftmax> {
  explicit LogSoftmax(int64_t axis = -1) : axis_(axis) { describe(fmt::format("axis={}", axis)); }
  Tensor forward(const Tensor& x) { return log_softmax(x, axis_); }

 private:
  int64_t axis_;
};

/// y = a sigmoid(b), a and b the halves of x along one axis. **Shape**: y has half of the axis. **Throws** ShapeError for
/// an odd size.
struct GLU : Module<GLU> {
  explicit GLU(int64_t axis = -1) : axis_(axis) { describe(fmt::format("axis={}", axis)); }
  Tensor forward(const Tensor& x) { return glu(x, axis_); }

 private:
  int64_t axis_;
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
