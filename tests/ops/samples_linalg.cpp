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
  samples.push_back({.label = "transposed",
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

// Matrices near 3 times the identity, whose systems have no large numbers.
Tensor regular(const Shape& shape) { return normal(shape) * 0.5 + eye(shape.back(), {.dtype = float64}) * 3.0; }

Samples solve_samples() {
  const auto f = [](const Inputs& in) { return solve(in[0], in[1]); };
  return {{.label = "matrix", .f = f, .inputs = {regular({3, 3}), normal({3, 2})}},
          {.label = "vector", .f = f, .inputs = {regular({3, 3}), normal({3})}},
          {.label = "batch", .f = f, .inputs = {regular({2, 2, 2}), normal({2, 2, 1})}},
          {.label = "transposed",
           .f = [](const Inputs& in) { return solve(in[0].transpose(0, 1), in[1].transpose(0, 1)); },
           .inputs = {regular({3, 3}), normal({2, 3})}},
          {.label = "one tensor as both",
           .f = [](const Inputs& in) { return solve(in[0] * in[0], in[0]); },
           .inputs = {regular({2, 2})}},
          {.label = "nothing",
           .f = f,
           .inputs = {zeros({0, 0}, {.dtype = float64}), normal({0, 2})},
           .zero_gradient = true}};
}

Samples det_samples() {
  const auto f = [](const Inputs& in) { return det(in[0]); };
  return {{.label = "matrix", .f = f, .inputs = {regular({3, 3})}},
          {.label = "batch", .f = f, .inputs = {regular({2, 2, 2})}},
          {.label = "negative",
           .f = [](const Inputs& in) { return det(-in[0].transpose(0, 1)); },
           .inputs = {regular({3, 3})}}};
}

Samples cholesky_samples() {
  const auto f = [](const Inputs& in) {
    return cholesky(matmul(in[0], in[0].transpose(-1, -2)) + eye(in[0].size(-1), {.dtype = in[0].dtype()}));
  };
  return {{.label = "matrix", .f = f, .inputs = {normal({3, 3})}},
          {.label = "batch", .f = f, .inputs = {normal({2, 2, 2})}}};
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
  samples.push_back({.label = "strided",
                     .f = [](const Inputs& in) { return linear(in[0].transpose(0, 1), in[1].transpose(0, 1), in[2]); },
                     .inputs = {normal({5, 4}), normal({5, 3}), normal({3})}});
  return samples;
}

}  // namespace tapegrad
