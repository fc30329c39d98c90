#include <tapegrad/nn/activation.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

Tensor ReLU::forward(const Tensor& x) {
  return relu(x);
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

}  // namespace tapegrad::nn
