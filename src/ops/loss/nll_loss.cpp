// Negative log-likelihood of labels t [N] under log-probabilities lp [N, C]:
//   loss_n = -w_t lp_nt     dlp_nc = -w_t [c = t] dloss_n
// Made of operations, with the labels as rows q = w onehot(t): loss = -sum_c q lp.
#include "compute/labels.h"
#include "ops/loss/loss.h"

namespace tapegrad {

Tensor nll_loss(const Tensor& log_probs, const Tensor& target, const NllOptions& options) {
  const Labelled rows = check_labels("nll_loss", log_probs, target, options.weight, options.ignore_index);
  const Tensor q = compute::label_weights(rows.scores.shape(), rows.scores.dtype(), rows.labels,
                                          options.weight, options.ignore_index, 0);
  return reduced_rows("nll_loss", likelihood_of_rows(rows.scores, q), rows.shape,
                      compute::label_count(rows.labels, options.weight, options.ignore_index),
                      options.reduction);
}

}  // namespace tapegrad
