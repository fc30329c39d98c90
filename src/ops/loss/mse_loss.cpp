// Squared and absolute errors of d = input - target.
//   mse   d^2       dinput = 2 d dloss
//   l1    |d|       dinput = sign(d) dloss, 0 at the kink
// Made of operations; dtarget is -dinput.
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

}  // namespace tapegrad
