#include <tapegrad/nn/dropout.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("Dropout", "p must be in [0, 1], got {}", p);
  describe(fmt::format("p={}", p));
}

Tensor Dropout::forward(const Tensor& x) { return is_training() ? dropout(x, p_) : x; }

Flatten::Flatten(FlattenOptions options) : options_(options) {
  if (options.first != 1 || options.last != -1)
    describe(fmt::format("first={}, last={}", options.first, options.last));
}

}  // namespace tapegrad::nn
