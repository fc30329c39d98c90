// The negative log-likelihood of t under a normal distribution with mean x and variance v:
//   loss = (ln v + (x - t)^2 / v) / 2,  v = max(var, eps),  and ln(2 pi) / 2 more if `full`
//   dx = (x - t) / v dloss      dvar = (1 / v - (x - t)^2 / v^2) dloss / 2, as if v were var
// Made of operations. The maximum is a constant that is added, so that a variance below eps is still pushed upwards.
#include <cmath>
#include <numbers>

#include "ops/loss/loss.h"

namespace tapegrad {

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

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var,
                         GaussianNllOptions options) {
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
