// What the gradient of each operation is checked on. src/ops/ops.def names the operations; an operation of
// one or two tensors says only where its inputs lie, and one that needs more has a function `name_samples()`
// in a tests/ops/samples_*.cpp:
//
//   Samples linear_samples() {
//     const auto f = [](const Inputs& in) { return linear(in[0], in[1]); };
//     return {{"vector", f, {normal({5}), normal({3, 5})}}};
//   }
//
// Inputs are float64. Strided inputs come from views made inside the function; tensors that are no inputs
// (labels, masks) are captured by it, or passed as inputs that are not floating.
#pragma once
#include <tapegrad/gradcheck.h>
#include <tapegrad/tapegrad.h>

#include <functional>
#include <string>
#include <vector>

namespace tapegrad {

using Inputs = std::vector<Tensor>;

struct Sample {
  std::string label;
  GradcheckFunction f;
  Inputs inputs;
  bool zero_gradient = false;     ///< the gradient is rightly about zero, or there are no elements
  bool second_derivative = true;  ///< gradgradcheck it too
  bool in_float32 = true;         ///< f works on float32 inputs too (it captures no float64 tensor)
};
using Samples = std::vector<Sample>;

/// Lets the inputs begin anew, so that those of one operation do not depend on which were made before.
void restart_samples();

/// Inputs: the same numbers in each run, others in each call.
Tensor normal(const Shape& shape);
Tensor uniform(const Shape& shape, double low, double high);
/// Uniform, and nowhere closer than 0.05 to one of the kinks.
Tensor uniform_away(const Shape& shape, double low, double high, const std::vector<double>& kinks);

/// Every shape from a scalar to three axes, empty ones too, and transposed, sliced and expanded views.
Samples unary_samples(const std::function<Tensor(const Tensor&)>& f, double low, double high,
                      const std::vector<double>& kinks = {});

/// Equal shapes and pairs that broadcast; each input alone; one tensor as both; strided views of either.
Samples binary_samples(const std::function<Tensor(const Tensor&, const Tensor&)>& f, double low_a, double high_a,
                       double low_b, double high_b);

}  // namespace tapegrad
