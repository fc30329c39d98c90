// File: nn/activation.h
//
// Activations as modules, for Sequential; each calls the operation of the same name, whose numerics and source
// are in ops/activation.h. No parameters. **Shape**: x [...], y the same. **Throws** DtypeError unless x is
// floating.
#pragma once
#include <tapegrad/nn/module.h>
#include <tapegrad/ops/activation.h>

namespace tapegrad::nn {

/// y = max(x, 0).   dx = dy where x > 0, else 0, at the kink too.
struct ReLU : Module<ReLU> {
  Tensor forward(const Tensor& x);
};

/// y = 1 / (1 + e^-x).   dx = dy y (1 - y).
struct Sigmoid : Module<Sigmoid> {
  Tensor forward(const Tensor& x);
};

/// y = x sigmoid(x).   dx = dy s (1 + x (1 - s)) with s = sigmoid(x).
struct SiLU : Module<SiLU> {
  Tensor forward(const Tensor& x);
};

/// y = log(1 + e^x).   dx = dy sigmoid(x).
struct Softplus : Module<Softplus> {
  Tensor forward(const Tensor& x);
};

/// y = tanh(x).   dx = dy (1 - y^2).
struct Tanh : Module<Tanh> {
  Tensor forward(const Tensor& x);
};

/// y = x where x > 0, else negative_slope x.   dx = dy, or negative_slope dy.
struct LeakyReLU : Module<LeakyReLU> {
  explicit LeakyReLU(double negative_slope = 0.01);
  Tensor forward(const Tensor& x);

 private:
  double negative_slope_;
};

/// y = x where x > 0, else alpha (e^x - 1).   dx = dy, or dy alpha e^x.
struct ELU : Module<ELU> {
  explicit ELU(double alpha = 1);
  Tensor forward(const Tensor& x);

 private:
  double alpha_;
};

/// y = x Phi(x) with the distribution function of the normal distribution, or its approximation by tanh.
struct GELU : Module<GELU> {
  explicit GELU(GeluOptions options = {});
  Tensor forward(const Tensor& x);

 private:
  GeluOptions options_;
};

/// y = e^x / sum of e^x along one axis, which PyTorch calls dim: probabilities.
/// **Throws** IndexError if x has no such axis. For a loss give cross_entropy the logits instead.
struct Softmax : Module<Softmax> {
  explicit Softmax(int64_t axis = -1);
  Tensor forward(const Tensor& x);

 private:
  int64_t axis_;
};

}  // namespace tapegrad::nn
