#include <tapegrad/nn/activation.h>

#include "core/fail.h"

namespace tapegrad::nn {

PReLU::PReLU(int64_t num_parameters, PReLUOptions options) {
  if (num_parameters < 1)
    fail<ValueError>("PReLU", "num_parameters must be positive, got {}", num_parameters);
  weight = add_parameter("weight", full({num_parameters}, options.init));
  describe(fmt::format("num_parameters={}", num_parameters));
}

}  // namespace tapegrad::nn
