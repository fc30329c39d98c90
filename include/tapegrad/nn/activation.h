// File: nn/activation.h
//
// Activations as modules, for Sequential; each calls the operation of the same name. No parameters;
// **Shape**: any.
#pragma once
#include <tapegrad/nn/module.h>
#include <tapegrad/ops/activation.h>

namespace tapegrad::nn {

struct ReLU : Module<ReLU> {
  Tensor forward(const Tensor& x);
};

struct Sigmoid : Module<Sigmoid> {
  Tensor forward(const Tensor& x);
};

struct SiLU : Module<SiLU> {
  Tensor forward(const Tensor& x);
};

struct Softplus : Module<Softplus> {
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

struct ELU : Module<ELU> {
  explicit ELU(double alpha = 1);
  Tensor forward(const Tensor& x);

 private:
  double alpha_;
};

struct GELU : Module<GELU> {
  explicit GELU(GeluOptions options = {});
  Tensor forward(const Tensor& x);

 private:
  GeluOptions options_;
};

/// Probabilities along one axis, which PyTorch calls dim. For a loss give cross_entropy the logits instead.
struct Softmax : Module<Softmax> {
  explicit Softmax(int64_t axis = -1);
  Tensor forward(const Tensor& x);

 private:
  int64_t axis_;
};

}  // namespace tapegrad::nn
