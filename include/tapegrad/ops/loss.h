// File: ops/loss.h
//
// Losses: how far a prediction is from its target, as one number to minimize.
//
// **Reduction** (all of them): the losses of the elements (or rows) are averaged; {.reduction = Reduce::sum}
// adds them up, Reduce::none returns them as they are, Reduce::batchmean divides the sum by the size of the
// first axis. **Numerics**: sums in float64, in an order that the shape fixes.
//
// **Throws** (all of them) ShapeError unless input and target have one shape (there is no broadcasting: an
// [8, 1] against an [8] would silently compare all pairs), DtypeError if their dtypes differ or are not
// floating.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

enum class Reduce { none, mean, sum, batchmean };

struct LossOptions {
  Reduce reduction = Reduce::mean;
};

struct CrossEntropyOptions {
  int64_t ignore_index = -100;  ///< rows with this label count for nothing
  double label_smoothing = 0;   ///< the share of the target spread over all classes, in [0, 1]
  Tensor weight = {};           ///< [C], of each class; no gradient; undefined: all 1
  Reduce reduction = Reduce::mean;
};

/// The negative log-likelihood of labels under softmax(logits): what a classifier is trained with.
///
///     loss_n = ln sum_c exp(logits_nc) - logits_n,target_n
///     dlogits_n = (softmax(logits_n) - onehot(target_n)) dloss_n
///
/// With label smoothing s the target is (1 - s) onehot + s / C; with class weights each class's part is
/// multiplied by its weight. The mean divides by the sum of the weights of the labels that are not ignored.
///
/// **Shape**: logits [N, C] with target [N], or logits [N, C, ...] with target [N, ...]; the target is int64.
/// Reduce::none gives the target's shape.
///
/// **Throws** IndexError for a label outside [0, C) that is not ignore_index; DtypeError for labels that are
/// not int64; ValueError for a label_smoothing outside [0, 1].
///
/// **Numerics**: finite for all finite logits. A logit may be -inf: the class is impossible.
///
/// Differs from PyTorch where every row is ignored: the mean is 0, with gradient 0, not NaN. A batch without
/// labels teaches nothing, and should not destroy the model. Class probabilities as targets are kl_div's.
///
///     Tensor loss = cross_entropy(model(x), y, {.label_smoothing = 0.1});
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options = {});

struct NllOptions {
  int64_t ignore_index = -100;  ///< as in CrossEntropyOptions
  Tensor weight = {};           ///< as in CrossEntropyOptions
  Reduce reduction = Reduce::mean;
};

/// The negative log-likelihood of labels under given log-probabilities: loss_n = -log_probs_n,target_n.
/// nll_loss(log_softmax(x, 1), target) is cross_entropy(x, target). **Shape** and **Throws** as there.
Tensor nll_loss(const Tensor& log_probs, const Tensor& target, const NllOptions& options = {});

}  // namespace tapegrad
