// Products.
#include "ops/samples.h"

namespace tapegrad {

namespace {
Sample product(const Shape& a, const Shape& b) {
  return {.label = to_string(a) + " x " + to_string(b),
          .f = [](const Inputs& in) { return matmul(in[0], in[1]); },
          .inputs = {normal(a), normal(b)},
          .zero_gradient = a.numel() * b.numel() == 0};
}
}  // namespace

Samples matmul_samples() {
  Samples samples{product({3, 4}, {4, 2}),
                  product({1, 5}, {5, 1}),
                  product({4}, {4}),
                  product({4}, {4, 3}),
                  product({3, 4}, {4}),
                  product({2, 3, 4}, {4, 2}),
                  product({2, 3, 4}, {2, 4, 2}),
                  product({2, 1, 3, 2}, {3, 2, 2}),
                  product({0, 4}, {4, 2}),
                  product({3, 0}, {0, 2})};
  samples.push_back(
      {.label = "transposed",
       .f = [](const Inputs& in) { return matmul(in[0].transpose(0, 1), in[1].transpose(0, 1)); },
       .inputs = {normal({4, 3}), normal({2, 4})}});
  samples.push_back({.label = "one tensor as both",
                     .f = [](const Inputs& in) { return matmul(in[0], in[0]); },
                     .inputs = {normal({3, 3})}});
  samples.push_back({.label = "expanded",
                     .f =
                         [](const Inputs& in) {
                           return matmul(in[0].expand({3, 4}), in[1]);
                         },
                     .inputs = {normal({3, 1}), normal({4, 2})}});
  return samples;
}

Samples linear_samples() {
  Samples samples;
  for (const Shape& x : {Shape{4, 5}, Shape{5}, Shape{2, 3, 5}, Shape{0, 5}}) {
    samples.push_back({.label = to_string(x),
                       .f = [](const Inputs& in) { return linear(in[0], in[1], in[2]); },
                       .inputs = {normal(x), normal({3, 5}), normal({3})},
                       .zero_gradient = x.numel() == 0});
    samples.push_back({.label = to_string(x) + " without bias",
                       .f = [](const Inputs& in) { return linear(in[0], in[1]); },
                       .inputs = {normal(x), normal({3, 5})},
                       .zero_gradient = x.numel() == 0});
  }
  samples.push_back(
      {.label = "strided",
       .f = [](const Inputs& in) { return linear(in[0].transpose(0, 1), in[1].transpose(0, 1), in[2]); },
       .inputs = {normal({5, 4}), normal({5, 3}), normal({3})}});
  return samples;
}

}  // namespace tapegrad
