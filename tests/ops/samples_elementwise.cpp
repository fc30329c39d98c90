// Samples of elementwise operations that have options or bounds.
#include "ops/samples.h"

namespace tapegrad {

Samples clamp_samples() {
  return unary_samples([](const Tensor& x) { return clamp(x, -1, 0.5); }, -2, 2, {-1, 0.5});
}

Samples gelu_samples() {
  Samples all = unary_samples([](const Tensor& x) { return gelu(x); }, -2, 2);
  for (Sample& sample :
       unary_samples([](const Tensor& x) { return gelu(x, {.approximate = true}); }, -2, 2)) {
    sample.label += ", approximate";
    all.push_back(std::move(sample));
  }
  return all;
}

}  // namespace tapegrad
