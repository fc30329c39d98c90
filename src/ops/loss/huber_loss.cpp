// Losses of d = input - target: d^2 (mse), |d| (l1, with the gradient 0 at the kink), both made of operations, and Huber's. With
// c = clamp(d, -delta, delta) both of its pieces are one formula,
//
//   y = c (d - c / 2)         d^2 / 2 inside, where c = d
//                             delta (|d| - delta / 2) outside, where c = +-delta
//
// and dd = c dy: inside c' = 1 gives (d - c/2) + c/2 = d, outside c' = 0 gives c. d is saved.
#include "ops/loss/loss.h"

namespace tapegrad {

Tensor mse_loss(const Tensor& input, const Tensor& target, LossOptions options) {
  check_pair("mse_loss", input, target);
  const Tensor d = input - target;
  return reduced("mse_loss", d * d, options.reduction);
}

Tensor l1_loss(const Tensor& input, const Tensor& target, LossOptions options) {
  check_pair("l1_loss", input, target);
  return reduced("l1_loss", abs(input - target), options.reduction);
}

namespace {

Tensor huber(const Tensor& d, double delta) {
  const auto clamped = [delta](auto d) {
    const auto low = constant(d, -delta), high = constant(d, delta);
    return where(d < low, low, where(d > high, high, d));
  };
  const auto loss = [clamped](auto d) {
    const auto c = clamped(d);
    return c * (d - c / 2);
  };
  return unary("huber_loss", d, loss, Save::x, [clamped](auto dy, auto d) { return dy * clamped(d); },
               {{"delta", delta}});
}

}  // namespace

Tensor huber_loss(const Tensor& input, const Tensor& target, HuberOptions options) {
  check_pair("huber_loss", input, target);
  if (!(options.delta > 0)) fail<ValueError>("huber_loss", "delta must be positive, got {}", options.delta);
  return reduced("huber_loss", huber(input - target, options.delta), options.reduction);
}

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, SmoothL1Options options) {
  check_pair("smooth_l1_loss", input, target);
  if (!(options.beta >= 0))
    fail<ValueError>("smooth_l1_loss", "beta must be at least 0, got {}", options.beta);
  if (options.beta == 0) return l1_loss(input, target, {.reduction = options.reduction});
  return reduced("smooth_l1_loss", huber(input - target, options.beta) * (1 / options.beta),
                 options.reduction);
}

}  // namespace tapegrad
