// Negative log-likelihood of labels t [N] under log-probabilities lp [N, C]:
//   loss_n = -w_t lp_nt     dlp_nc = -w_t [c = t] dloss_n
// Made of operations, with the labels as rows q = w onehot(t): loss = -sum_c q lp.
#include "ops/loss/loss.h"

namespace tapegrad {

Tensor nll_loss(const Tensor& log_probs, const Tensor& target, const NllOptions& options) {
  const auto& [ignore_index, weight, reduction] = options;
  const Labelled rows = check_labels("nll_loss", log_probs, target, weight, ignore_index, reduction);
  const Tensor q = compute::label_weights(rows.scores, rows.labels, weight, ignore_index, 0);
  const Tensor y = likelihood(rows.scores, q, reduction != Reduce::none, rows.scale);
  return reduction == Reduce::none && rows.shape.size() > 1 ? y.reshape(rows.shape) : y;
}

}  // namespace tapegrad
