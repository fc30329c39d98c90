// An operation of one's own, and the proof that its gradient is right.
//
//   swish(x) = x s(x)        s(x) = 1 / (1 + exp(-x))
//
// With s' = s (1 - s):  d swish / dx = s + x s (1 - s).
//
// gradcheck() compares the gradient that the backward function gives with differences of the forward
// function, in float64, for every element. A check is worth what it finds: the second version below has the
// term x s (1 - s) wrong, and must be caught.
#include <tapegrad/tapegrad.h>

#include "arguments.h"

using namespace tapegrad;

Tensor swish(const Tensor& x) {
  return custom_op(
      "swish", {x}, [&] { return x * sigmoid(x); },  // forward: nothing in here is recorded
      [x](const Tensor& dy) -> Gradients {
        const Tensor s = sigmoid(x);
        return {dy * (s + x * s * (1 - s))};
      });
}

Tensor wrong_swish(const Tensor& x) {
  return custom_op(
      "wrong_swish", {x}, [&] { return x * sigmoid(x); },
      [x](const Tensor& dy) -> Gradients {
        const Tensor s = sigmoid(x);
        return {dy * (s + x * s)};
      });
}

int main(int argc, char** argv) {
  Arguments(argc, argv, "Checks the gradient of an operation of its own, and finds a wrong one.").finish();
  manual_seed(0);
  const Tensor x = randn({3, 4}, {.dtype = float64});

  const auto check = [&](Tensor (*f)(const Tensor&), auto kind) {
    const GradcheckReport report = kind([f](const std::vector<Tensor>& in) { return f(in[0]); });
    fmt::print("{}\n", report.ok ? fmt::format("right: largest error {:.1e}", report.max_error) : report.message);
    return report.ok;
  };
  const auto first = [&](const GradcheckFunction& f) { return gradcheck(f, {x}); };
  const auto second = [&](const GradcheckFunction& f) { return gradgradcheck(f, {x}); };

  const bool right = check(swish, first);
  const bool right_again = check(swish, second);  // the backward function is made of operations: it has one too
  const bool caught = !check(wrong_swish, first);
  return right && right_again && caught ? 0 : 1;
}
