#include <tapegrad/nn/activation.h>
#include <tapegrad/nn/dropout.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

PReLU::PReLU(int64_t num_parameters, PReLUOptions options) {
  if (num_parameters < 1) fail<ValueError>("PReLU", "num_parameters must be positive, got {}", num_parameters);
  weight = add_parameter("weight", full({num_parameters}, options.init));
  describe(fmt::format("num_parameters={}", num_parameters));
}

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("Dropout", "p must be in [0, 1], got {}", p);
  describe(fmt::format("p={}", p));
}

Tensor Dropout::forward(const Tensor& x) { return is_training() ? dropout(x, p_) : x; }

Flatten::Flatten(FlattenOptions options) : options_(options) {
  if (options.first != 1 || options.last != -1) describe(fmt::format("first={}, last={}", options.first, options.last));
}

}  // namespace tapegrad::nn
