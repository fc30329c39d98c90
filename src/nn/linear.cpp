#include <tapegrad/nn/init.h>
#include <tapegrad/nn/linear.h>
#include <tapegrad/ops.h>

#include <cmath>

#include "core/fail.h"

namespace tapegrad::nn {

Linear::Linear(int64_t in_features, int64_t out_features, LinearOptions options) {
  if (in_features < 0 || out_features < 0)
    fail<ValueError>("Linear", "in_features and out_features must not be negative, got {} and {}", in_features,
                     out_features);
  // kaiming_uniform with a = sqrt(5) comes to the same bound, 1 / sqrt(in_features), for the weight too.
  const double bound = in_features > 0 ? 1 / std::sqrt(double(in_features)) : 0;
  weight = add_parameter("weight", init::kaiming_uniform(empty({out_features, in_features}), {.a = std::sqrt(5.0)}));
  bias = add_parameter("bias", options.bias ? init::uniform(empty({out_features}), -bound, bound) : Tensor());
  describe(
      fmt::format("in_features={}, out_features={}{}", in_features, out_features, options.bias ? "" : ", bias=false"));
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight, bias); }

}  // namespace tapegrad::nn
