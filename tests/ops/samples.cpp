#include "ops/samples.h"

#include <algorithm>
#include <cmath>

namespace tapegrad {

namespace {
// Apart from the default generator, which a test may seed.
Generator generator(2024);

Tensor draw(const Shape& shape, const std::function<Tensor()>& make) {
  std::swap(default_generator(), generator);
  Tensor x = make();
  std::swap(default_generator(), generator);
  return x.reshape(shape);
}

const Shape kShapes[] = {{}, {1}, {0}, {0, 3}, {7}, {1, 7}, {7, 1}, {5, 7}, {2, 1, 5}, {2, 3, 4}};
}  // namespace

void restart_samples() { generator = Generator(2024); }

Tensor normal(const Shape& shape) {
  return draw(shape, [&] { return randn(shape, {.dtype = float64}); });
}

Tensor uniform(const Shape& shape, double low, double high) {
  return draw(shape, [&] { return rand(shape, {.dtype = float64}) * (high - low) + low; });
}

Tensor uniform_away(const Shape& shape, double low, double high, const std::vector<double>& kinks) {
  constexpr double kMargin = 0.05;
  Tensor x = uniform(shape, low, high);
  for (double& value : x.mutable_data<double>())
    for (double kink : kinks)
      if (std::abs(value - kink) < kMargin) value = kink + (value < kink ? -1 : 1) * 2 * kMargin;
  return x;
}

Samples unary_samples(const std::function<Tensor(const Tensor&)>& f, double low, double high,
                      const std::vector<double>& kinks) {
  Samples samples;
  const auto add = [&](const std::string& label, const Shape& shape, std::function<Tensor(const Tensor&)> view) {
    samples.push_back({.label = label,
                       .f = [f, view](const Inputs& in) { return f(view(in[0])); },
                       .inputs = {uniform_away(shape, low, high, kinks)},
                       .zero_gradient = shape.numel() <= 1});
  };
  for (const Shape& shape : kShapes) add(to_string(shape), shape, [](const Tensor& x) { return x; });
  add("transposed", {7, 5}, [](const Tensor& x) { return x.transpose(0, 1); });
  add("sliced", {6, 5}, [](const Tensor& x) { return slice(slice(x, 0, 1, 6, 2), 1, 1, 4); });
  add("expanded", {6, 1}, [](const Tensor& x) { return x.expand({2, 6, 3}); });
  return samples;
}

Samples binary_samples(const std::function<Tensor(const Tensor&, const Tensor&)>& f, double low_a, double high_a,
                       double low_b, double high_b) {
  Samples samples;
  const auto a = [&](const Shape& shape) { return uniform(shape, low_a, high_a); };
  const auto b = [&](const Shape& shape) { return uniform(shape, low_b, high_b); };
  const auto both = [f](const Inputs& in) { return f(in[0], in[1]); };
  for (const Shape& shape : kShapes)
    samples.push_back(
        {.label = to_string(shape), .f = both, .inputs = {a(shape), b(shape)}, .zero_gradient = shape.numel() <= 1});
  const std::pair<Shape, Shape> broadcast[] = {{{3, 1}, {1, 4}}, {{}, {5}},        {{5}, {}},     {{0, 3}, {1, 3}},
                                               {{1, 3}, {0, 3}}, {{2, 3, 4}, {4}}, {{3}, {2, 3}}, {{2, 1, 4}, {3, 1}}};
  for (const auto& [shape_a, shape_b] : broadcast)
    samples.push_back({.label = to_string(shape_a) + " and " + to_string(shape_b),
                       .f = both,
                       .inputs = {a(shape_a), b(shape_b)},
                       .zero_gradient = shape_a.numel() * shape_b.numel() == 0});
  const Tensor fixed_a = a({3, 4}), fixed_b = b({4});
  samples.push_back({.label = "only the first",
                     .f = [f, fixed_b](const Inputs& in) { return f(in[0], fixed_b); },
                     .inputs = {a({3, 4})},
                     .in_float32 = false});
  samples.push_back({.label = "only the second",
                     .f = [f, fixed_a](const Inputs& in) { return f(fixed_a, in[0]); },
                     .inputs = {b({4})},
                     .in_float32 = false});
  // x - x and x / x are constant.
  samples.push_back({.label = "one tensor as both",
                     .f = [f](const Inputs& in) { return f(in[0], in[0]); },
                     .inputs = {uniform({3, 4}, std::max(low_a, low_b), std::min(high_a, high_b))},
                     .zero_gradient = true});
  samples.push_back({.label = "transposed and sliced",
                     .f = [f](const Inputs& in) { return f(in[0].transpose(0, 1), slice(in[1], 1, 0, 8, 2)); },
                     .inputs = {a({4, 3}), b({3, 8})}});
  samples.push_back({.label = "expanded",
                     .f =
                         [f](const Inputs& in) {
                           return f(in[0].expand({2, 3, 4}), in[1].expand({2, 3, 4}));
                         },
                     .inputs = {a({3, 1}), b({4})}});
  return samples;
}

}  // namespace tapegrad
