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
// nll_loss takes ln p itself, with the labels as rows q = w onehot(t): loss = -sum_c q ln p. Made of operations.
//
// Source: Szegedy et al. (2016), Rethinking the Inception Architecture, arXiv:1512.00567, section 7 (label smoothing).
#include "compute/fused.h"
#include "ops/loss/loss.h"

namespace tapegrad {

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const auto [ignored, smoothing, weight, reduction] = options;
  if (!(smoothing >= 0 && smoothing <= 1))
    fail<ValueError>("cross_entropy", "label_smoothing must be in [0, 1], got {}", smoothing);
  const Labelled rows = check_labels("cross_entropy", logits, target, weight, ignored, reduction);
  const compute::CrossEntropy kernel{ignored, reduction != Reduce::none, rows.scale};
  const auto composed = [=, smoothing = smoothing, weight = weight](const Tensors& in) {
    const Tensor q = compute::label_weights(in[0], in[1], weight, kernel.ignore_index, smoothing);
    return likelihood(log_softmax(in[0], 1), q, kernel.summed, kernel.scale);
  };
  const Tensors in{rows.scores, rows.labels};
  const Tensor y = weight.defined() || smoothing > 0
                       ? composed(in)
                       : fused("cross_entropy", in, {{"ignore_index", ignored}, {"reduction", name_of(reduction)}},
                               composed, kernel);
  return reduction == Reduce::none && rows.shape.size() > 1 ? y.reshape(rows.shape) : y;
}

Tensor nll_loss(const Tensor& log_probs, const Tensor& target, const NllOptions& options) {
  const auto& [ignore_index, weight, reduction] = options;
  const Labelled rows = check_labels("nll_loss", log_probs, target, weight, ignore_index, reduction);
  const Tensor q = compute::label_weights(rows.scores, rows.labels, weight, ignore_index, 0);
  const Tensor y = likelihood(rows.scores, q, reduction != Reduce::none, rows.scale);
  return reduction == Reduce::none && rows.shape.size() > 1 ? y.reshape(rows.shape) : y;
}

}  // namespace tapegrad
