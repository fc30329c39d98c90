// Samples of elementwise operations that have options or bounds.
#include "ops/samples.h"

namespace tapegrad {

Samples clamp_samples() {
  return unary_samples([](const Tensor& x) { return clamp(x, -1, 0.5); }, -2, 2, {-1, 0.5});
}

Samples prelu_samples() {
  const auto f = [](const Inputs& in) { return prelu(in[0], in[1]); };
  const auto x = [](const Shape& shape) { return uniform_away(shape, -2, 2, {0}); };
  return {{.label = "one slope", .f = f, .inputs = {x({3, 2}), normal({1})}},
          {.label = "a slope for each channel", .f = f, .inputs = {x({2, 3, 4}), normal({3})}},
          {.label = "a row", .f = f, .inputs = {x({5}), normal({1})}},
          {.label = "strided",
           .f = [](const Inputs& in) { return prelu(in[0].transpose(0, 1), in[1]); },
           .inputs = {x({3, 2}), normal({3})}}};
}

Samples glu_samples() {
  return {{.label = "last axis", .f = [](const Inputs& in) { return glu(in[0]); }, .inputs = {normal({3, 4})}},
          {.label = "first axis", .f = [](const Inputs& in) { return glu(in[0], 0); }, .inputs = {normal({2, 3})}}};
}

Samples gelu_samples() {
  Samples all = unary_samples([](const Tensor& x) { return gelu(x); }, -2, 2);
  for (Sample& sample : unary_samples([](const Tensor& x) { return gelu(x, {.approximate = true}); }, -2, 2)) {
    sample.label += ", approximate";
    all.push_back(std::move(sample));
  }
  return all;
}

}  // namespace tapegrad
