#include <tapegrad/nn/activation.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

Tensor ReLU::forward(const Tensor& x) {
  return relu(x);
}

Tensor Sigmoid::forward(const Tensor& x) {
  return sigmoid(x);
}

Tensor SiLU::forward(const Tensor& x) {
  return silu(x);
}

Tensor Softplus::forward(const Tensor& x) {
  return softplus(x);
}

Tensor Tanh::forward(const Tensor& x) {
  return tanh(x);
}

LeakyReLU::LeakyReLU(double negative_slope) : negative_slope_(negative_slope) {
  describe(fmt::format("negative_slope={}", negative_slope));
}
Tensor LeakyReLU::forward(const Tensor& x) {
  return leaky_relu(x, negative_slope_);
}

ELU::ELU(double alpha) : alpha_(alpha) {
  describe(fmt::format("alpha={}", alpha));
}
Tensor ELU::forward(const Tensor& x) {
  return elu(x, alpha_);
}

GELU::GELU(GeluOptions options) : options_(options) {
  if (options.approximate) describe("approximate=true");
}
Tensor GELU::forward(const Tensor& x) {
  return gelu(x, options_);
}

Softmax::Softmax(int64_t axis) : axis_(axis) {
  describe(fmt::format("axis={}", axis));
}
Tensor Softmax::forward(const Tensor& x) {
  return softmax(x, axis_);
}

}  // namespace tapegrad::nn
