#include <tapegrad/optim/clip.h>

#include <cmath>

#include "autograd/writable.h"
#include "compute/arithmetic.h"
#include "compute/finite.h"
#include "core/fail.h"

namespace tapegrad {

namespace {

// The gradient of a parameter, contiguous, so that it can be changed in place; undefined if there is none.
Tensor own_gradient(const char* op, Tensor parameter) {
  Tensor gradient = parameter.grad();
  if (!gradient.defined()) return {};
  if (!gradient.is_contiguous()) {
    gradient = gradient.detach().contiguous();
    parameter.set_grad(gradient);
  }
  detail::check_writable(op, gradient);
  return gradient;
}

}  // namespace

double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm) {
  if (!(max_norm > 0)) fail<ValueError>("clip_grad_norm", "max_norm must be positive, got {}", max_norm);
  double squares = 0;
  for (const Tensor& parameter : parameters) {
    const Tensor gradient = own_gradient("clip_grad_norm", parameter);
    if (gradient.defined()) squares += compute::sum_of_squares(gradient);
  }
  const double norm = std::sqrt(squares), factor = max_norm / (norm + 1e-6);
  if (!std::isfinite(norm) || !(factor < 1)) return norm;
  for (const Tensor& parameter : parameters) {
    Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    compute::scale_in_place(gradient, factor);
  }
  return norm;
}

void clip_grad_value(const std::vector<Tensor>& parameters, double clip_value) {
  if (!(clip_value > 0))
    fail<ValueError>("clip_grad_value", "clip_value must be positive, got {}", clip_value);
  for (const Tensor& parameter : parameters) {
    Tensor gradient = own_gradient("clip_grad_value", parameter);
    if (!gradient.defined()) continue;
    compute::clamp_in_place(gradient, clip_value);
  }
}

}  // namespace tapegrad
