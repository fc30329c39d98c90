// File: nn/activation.h
//
// Activations as modules, for Sequential; each calls the operation of the same name. No parameters;
// **Shape**: any.
#pragma once
#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

struct ReLU : Module<ReLU> {
  Tensor forward(const Tensor& x);
};

struct Tanh : Module<Tanh> {
  Tensor forward(const Tensor& x);
};

struct LeakyReLU : Module<LeakyReLU> {
  explicit LeakyReLU(double negative_slope = 0.01);
  Tensor forward(const Tensor& x);

 private:
  double negative_slope_;
};

}  // namespace tapegrad::nn
