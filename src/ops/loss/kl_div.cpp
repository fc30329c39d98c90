// The Kullback-Leibler divergence of log-probabilities x from probabilities t, element by element:
//   y = t (ln t - x), and 0 where t = 0, its limit        dx = -t dy    dt = (ln t + 1 - x) dy
// or from log-probabilities: y = e^t (t - x).
// Made of operations. A t of 0 is replaced by 1 under the logarithm, so that no infinity enters the gradient.
#include "ops/loss/loss.h"

namespace tapegrad {

Tensor kl_div(const Tensor& input, const Tensor& target, KlDivOptions options) {
  check_pair("kl_div", input, target);
  if (options.log_target) return reduced("kl_div", exp(target) * (target - input), options.reduction);
  const Tensor some = ne(target, 0.0);
  const Tensor losses = target * (log(where(some, target, 1.0)) - input);
  return reduced("kl_div", where(some, losses, 0.0), options.reduction);
}

}  // namespace tapegrad
