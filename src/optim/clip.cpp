#include <tapegrad/optim/clip.h>

#include <cmath>

#include "autograd/writable.h"
#include "compute/arrays.h"
#include "core/fail.h"

namespace tapegrad {

namespace {

// f(gradient) for each gradient there is, made contiguous, so that it can be changed in place.
template <class F>
void for_each_gradient(const char* op, const std::vector<Tensor>& parameters, F f) {
  for (Tensor parameter : parameters) {
    Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (!gradient.is_contiguous()) {
      gradient = gradient.detach().contiguous();
      parameter.set_grad(gradient);
    }
    detail::check_writable(op, gradient);
    f(gradient);
  }
}

}  // namespace

double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm) {
  const char* op = "clip_grad_norm";
  if (!(max_norm > 0)) fail<ValueError>(op, "max_norm must be positive, got {}", max_norm);
  double squares = 0;
  for_each_gradient(op, parameters, [&](const Tensor& g) { squares += compute::sum_of_squares(g); });
  const double norm = std::sqrt(squares), factor = max_norm / (norm + 1e-6);
  if (std::isfinite(norm) && factor < 1)
    for_each_gradient(op, parameters, [&](Tensor& g) { compute::scale_in_place(g, factor); });
  return norm;
}

void clip_grad_value(const std::vector<Tensor>& parameters, double clip_value) {
  const char* op = "clip_grad_value";
  if (!(clip_value > 0)) fail<ValueError>(op, "clip_value must be positive, got {}", clip_value);
  for_each_gradient(op, parameters, [&](Tensor& g) { compute::clamp_in_place(g, clip_value); });
}

}  // namespace tapegrad
