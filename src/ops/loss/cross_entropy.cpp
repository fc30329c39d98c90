// Cross-entropy of logits z [N, C] with labels t [N]. For one row:
//
//   lse  = ln sum_c exp(z_c)
//   loss = lse - z_t                                      = -ln softmax(z)_t
//
// Backward. d lse / d z_c = exp(z_c - lse) = softmax(z)_c =: p_c, so
//
//   dz_c = (p_c - [c = t]) dloss
//
// The elements of dz sum to zero: adding a constant to all logits changes nothing.
//
// Saved: z, and for each row lse - max z in float64. The probabilities are computed again from them, so no
// second array of z's size is held.
//
// With label smoothing s and class weights w the target is q_c = w_c ((1 - s) [c = t] + s / C) and
// loss = -sum_c q_c ln p_c; these, and second derivatives, are made of operations.
//
// Numerics: the largest logit is subtracted first, so no exponent is positive (src/kernels/softmax.cpp). At
// the label p - 1 is formed with expm1: no digits are lost when p is nearly one.
//
// Source: Szegedy et al. (2016), Rethinking the Inception Architecture, arXiv:1512.00567, section 7 (label
// smoothing).
#include "compute/cross_entropy.h"
#include "compute/labels.h"
#include "ops/loss/loss.h"

namespace tapegrad {

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const double smoothing = options.label_smoothing;
  if (!(smoothing >= 0 && smoothing <= 1))
    fail<ValueError>("cross_entropy", "label_smoothing must be in [0, 1], got {}", smoothing);
  const Labelled rows = check_labels("cross_entropy", logits, target, options.weight, options.ignore_index);
  const double count = compute::label_count(rows.labels, options.weight, options.ignore_index);
  const auto composed = [=, labels = rows.labels, shape = rows.shape, weight = options.weight,
                         ignore_index = options.ignore_index,
                         reduction = options.reduction](const Tensors& in) {
    const Tensor q =
        compute::label_weights(in[0].shape(), in[0].dtype(), labels, weight, ignore_index, smoothing);
    return reduced_rows("cross_entropy", likelihood_of_rows(log_softmax(in[0], 1), q), shape, count,
                        reduction);
  };
  if (options.weight.defined() || smoothing > 0) return composed({rows.scores});
  double scale = 1;
  if (options.reduction == Reduce::mean) scale = count > 0 ? 1 / count : 0;
  if (options.reduction == Reduce::batchmean) scale = 1 / double(rows.shape[0]);
  const bool summed = options.reduction != Reduce::none;
  return fused("cross_entropy", {rows.scores}, {{"ignore_index", options.ignore_index}}, composed,
               compute::CrossEntropy{rows.labels, options.ignore_index, summed, scale, rows.shape});
}

}  // namespace tapegrad
