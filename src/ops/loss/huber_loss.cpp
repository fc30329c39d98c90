// Losses of d = input - target: d^2 (mse), |d| (l1, with the gradient 0 at the kink), both made of operations, and Huber's. With
// c = clamp(d, -delta, delta) both of its pieces are one formula,
//
//   y = c (d - c / 2)         d^2 / 2 inside, where c = d
//                             delta (|d| - delta / 2) outside, where c = +-delta
//
// and dd = c dy: inside c' = 1 gives (d - c/2) + c/2 = d, outside c' = 0 gives c. d is saved.
//
// The negative log-likelihood of t under a normal distribution with mean x and variance v:
//   loss = (ln v + (x - t)^2 / v) / 2,  v = max(var, eps),  and ln(2 pi) / 2 more if `full`
//   dx = (x - t) / v dloss      dvar = (1 / v - (x - t)^2 / v^2) dloss / 2, as if v were var
// Made of operations. The maximum is a constant that is added, so that a variance below eps is still pushed upwards.
#include <cmath>
#include <numbers>

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
  if (!(options.beta >= 0)) fail<ValueError>("smooth_l1_loss", "beta must be at least 0, got {}", options.beta);
  if (options.beta == 0) return l1_loss(input, target, {.reduction = options.reduction});
  return reduced("smooth_l1_loss", huber(input - target, options.beta) * (1 / options.beta), options.reduction);
}

namespace {

// var as it broadcasts to the input: it may have one number for each row.
Tensor beside(const Tensor& input, const Tensor& var) {
  Shape row = input.shape();
  if (var.shape() == row) return var;
  if (const int64_t last = row.size() - 1; last >= 0) {
    row[last] = 1;
    if (var.shape() == row) return var;
    row.erase(last);
    if (var.shape() == row) return var.unsqueeze(-1);
  }
  fail<ShapeError>("gaussian_nll_loss", "var must have the input's shape {}, or one number a row, got {}",
                   input.shape(), var.shape());
}

}  // namespace

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, GaussianNllOptions options) {
  const char* op = "gaussian_nll_loss";
  check_pair(op, input, target);
  check_same_dtype(op, input, var);
  if (!(options.eps > 0)) fail<ValueError>(op, "eps must be positive, got {}", options.eps);
  const Tensor given = beside(input, var), values = given.detach();
  if (any(values < 0).item() != 0) fail<ValueError>(op, "var must not be negative");
  const Tensor v = given + where(values < options.eps, options.eps - values, 0.0);
  Tensor losses = 0.5 * (log(v) + square(input - target) / v);
  if (options.full) losses = losses + 0.5 * std::log(2 * std::numbers::pi);
  return reduced(op, losses, options.reduction);
}

}  // namespace tapegrad
