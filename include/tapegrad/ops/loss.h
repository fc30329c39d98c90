// Losses: how far a prediction is from its target, as one number to minimize.
//
// **Reduction** (all of them): the losses of the elements (or rows) are averaged; {.reduction = Reduce::sum}
// adds them up, Reduce::none returns them as they are, Reduce::batchmean divides the sum by the size of the
// first axis. dloss, in the gradients below, is what reaches the loss of one element through the reduction: dy / n under the
// mean of n. The mean of nothing is NaN, with gradient 0. **Numerics**: sums in float64, in an order that the shape fixes.
//
// **Shape** and **Throws**, unless a loss says otherwise: input and target have one shape, which is also that of the losses,
// else a ShapeError (there is no broadcasting: an [8, 1] against an [8] would silently compare all pairs); DtypeError if
// their dtypes differ or are not floating; ShapeError for the batchmean of a number.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

enum class Reduce { none, mean, sum, batchmean };  ///< what becomes of the losses of the elements

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
///
/// With label smoothing s the target is (1 - s) onehot + s / C; with class weights each class's part is
/// multiplied by its weight. The mean divides by the sum of the weights of the labels that are not ignored.
///
/// **Shape**: logits [N, C] with target [N], or logits [N, C, ...] with target [N, ...]; the target is int64.
/// Reduce::none gives the target's shape.
///
/// **Throws** IndexError for a label outside [0, C) that is not ignore_index; DtypeError for labels that are
/// not int64; ValueError for a label_smoothing outside [0, 1]; ShapeError for a weight that is not [C].
///
/// **Gradient**: dlogits_n = (softmax(logits_n) - onehot(target_n)) dloss_n, with smoothing and weights
/// (softmax(logits_n) sum(q_n) - q_n) dloss_n, q the target above; none to target and weight.
///
/// **Numerics**: finite for all finite logits. A logit may be -inf: the class is impossible.
///
/// Differs from PyTorch where every row is ignored, or the weights of all labels are 0: the mean is 0, with gradient 0, not
/// NaN. A batch without labels teaches nothing, and should not destroy the model. Class probabilities as targets are
/// kl_div's.
///
///     Tensor loss = cross_entropy(model(x), y, {.label_smoothing = 0.1});
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options = {});

struct NllOptions {
  int64_t ignore_index = -100;  ///< as in CrossEntropyOptions
  Tensor weight = {};           ///< as in CrossEntropyOptions
  Reduce reduction = Reduce::mean;
};

/// The negative log-likelihood of labels under given log-probabilities: loss_n = -log_probs_n,target_n.
/// nll_loss(log_softmax(x, 1), target) is cross_entropy(x, target). **Shape**, **Throws** and the mean as there.
/// **Gradient**: dlog_probs_n = -onehot(target_n) dloss_n, times the class's weight.
Tensor nll_loss(const Tensor& log_probs, const Tensor& target, const NllOptions& options = {});

/// The squared error (input - target)^2. **Gradient**: dinput = 2 (input - target) dloss, dtarget = -dinput.
Tensor mse_loss(const Tensor& input, const Tensor& target, LossOptions options = {});

/// The absolute error |input - target|. **Gradient**: dinput = sign(input - target) dloss, 0 where they are
/// equal; dtarget = -dinput.
Tensor l1_loss(const Tensor& input, const Tensor& target, LossOptions options = {});

struct HuberOptions {
  double delta = 1;  ///< where the parabola goes over into the line, positive
  Reduce reduction = Reduce::mean;
};

/// Squared for small errors, linear for large ones, with d = input - target:
///     d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
/// **Throws** ValueError unless delta is positive. **Gradient**: dinput = clamp(d, -delta, delta) dloss,
/// dtarget = -dinput. **Source**: Huber 1964, Robust Estimation of a Location Parameter.
Tensor huber_loss(const Tensor& input, const Tensor& target, HuberOptions options = {});

struct SmoothL1Options {
  double beta = 1;  ///< the error where the parabola goes over into the line; 0 is l1_loss
  Reduce reduction = Reduce::mean;
};

/// huber_loss with delta = beta, divided by beta: its slope far out is 1.
///     d^2 / (2 beta) where |d| <= beta, else |d| - beta / 2
/// **Throws** ValueError if beta is negative. **Gradient**: dinput = clamp(d / beta, -1, 1) dloss, dtarget = -dinput.
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, SmoothL1Options options = {});

/// The cross-entropy of a probability p and a target t in [0, 1]: -(t ln p + (1 - t) ln(1 - p)).
/// Logarithms are cut off at -100, as in PyTorch, so that p = 0 costs 100 and not infinity. From logits use
/// bce_with_logits_loss, which loses no digits near 0 and 1.
/// **Throws** ValueError if an input is outside [0, 1].
/// **Gradient**: dp = (p - t) / max(p (1 - p), 1e-12) dloss, dt = (ln(1 - p) - ln p) dloss.
Tensor bce_loss(const Tensor& input, const Tensor& target, LossOptions options = {});

struct BceWithLogitsOptions {
  Tensor pos_weight = {};  ///< multiplies the part of t; broadcasts to the input; undefined: 1
  Reduce reduction = Reduce::mean;
};

/// bce_loss(sigmoid(input), target), computed so that no logit over- or underflows:
///     (1 - t) x + (1 + (pos_weight - 1) t) softplus(-x)
/// **Throws** ShapeError if pos_weight does not broadcast to the input; the target is not checked to lie in [0, 1].
/// **Gradient**: dx = (1 - t - (1 + (pos_weight - 1) t) sigmoid(-x)) dloss, which is (sigmoid(x) - t) dloss for pos_weight 1;
/// dt = ((pos_weight - 1) softplus(-x) - x) dloss; dpos_weight = t softplus(-x) dloss.
Tensor bce_with_logits_loss(const Tensor& input, const Tensor& target, const BceWithLogitsOptions& options = {});

struct KlDivOptions {
  bool log_target = false;  ///< the target holds log-probabilities too
  Reduce reduction = Reduce::mean;
};

/// The Kullback-Leibler divergence of `input`, log-probabilities, from `target`, probabilities:
///     target (ln target - input), and 0 where the target is 0
/// **Gradient**: dinput = -target dloss, dtarget = (ln target + 1 - input) dloss, 0 where the target is 0; with log_target
/// dinput = -e^target dloss, dtarget = e^target (target + 1 - input) dloss. **Numerics**: where the target is 0 the input may
/// be infinite or NaN, unlike in PyTorch.
/// The divergence of rows is the sum over classes: use Reduce::batchmean for its mean over the batch. (The
/// default mean divides by the number of all elements, as in PyTorch.)
Tensor kl_div(const Tensor& input, const Tensor& target, KlDivOptions options = {});

struct CosineOptions {
  int64_t axis = 1;   ///< of the vectors
  double eps = 1e-8;  ///< a norm below this counts as this, so that a zero vector gives 0
};

/// The cosine of the angle between vectors: (a . b) / (|a| |b|), over one axis. **Shape**: a and b the same, y without the
/// axis. **Numerics**: float64, so that squares neither over- nor underflow.
/// **Throws** ValueError unless eps is positive, IndexError for an axis that is not there. **Gradient**: da = (b / |b| - y a / |a|) / |a| dy, and db alike;
/// finite at a zero vector.
Tensor cosine_similarity(const Tensor& a, const Tensor& b, CosineOptions options = {});

struct CosineEmbeddingOptions {
  double margin = 0;  ///< a cosine up to this costs nothing where the target is -1, in [-1, 1]
  Reduce reduction = Reduce::mean;
};

/// Pulls pairs with target 1 together and pushes pairs with target -1 apart:
///     1 - cos(a, b) where target is 1, max(0, cos(a, b) - margin) where it is -1
/// **Shape**: a and b [N, D], target [N]. **Throws** ValueError for a target that is neither, or a margin outside
/// [-1, 1]. **Gradient**: to a and b, cosine_similarity's.
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target,
                             CosineEmbeddingOptions options = {});

struct MultiMarginOptions {
  int64_t p = 1;       ///< 1 or 2: the power of what falls short
  double margin = 1;   ///< by which the label's score must exceed the others
  Tensor weight = {};  ///< [C], of each class; no gradient; undefined: all 1
  Reduce reduction = Reduce::mean;
};

/// The hinge loss of classes: sum over c != target of max(0, margin - x_target + x_c)^p / C, times the label's weight.
/// **Shape**: as cross_entropy(); no label is ignored, and the mean divides by the number of labels. **Throws** as there, and
/// ValueError for another p. **Gradient**: through the terms above 0.
/// **Source**: Crammer, Singer 2001, On the algorithmic implementation of multiclass kernel-based vector machines.
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginOptions& options = {});

struct HingeEmbeddingOptions {
  double margin = 1;  ///< an input from here on costs nothing where the target is -1
  Reduce reduction = Reduce::mean;
};

/// Makes distances small where the target is 1 and large where it is -1: input, or max(0, margin - input).
/// **Shape**: input and target the same; the target is 1 or -1, in any dtype, else a ValueError. **Gradient**: dinput = dloss,
/// or -dloss up to the margin, at the kink too; none to the target.
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, HingeEmbeddingOptions options = {});

struct TripletMarginOptions {
  double margin = 1;  ///< positive
  double p = 2;       ///< of the distance: 1, 2 or infinity, as in norm()
  double eps = 1e-6;  ///< added to each difference, so that the distance of equal vectors has a gradient
  bool swap = false;  ///< the negative's distance is that to the nearer of anchor and positive
  Reduce reduction = Reduce::mean;
};

/// Brings a vector nearer to a positive than to a negative example, by a margin: max(0, d(a, p) - d(a, n) + margin), with
/// d(x, y) the norm of x - y + eps over the last axis.
/// **Shape**: all three [..., D], the losses [...]. **Throws** ValueError unless the margin is positive. **Gradient**: norm()'s,
/// to all three. **Source**: Balntas, Riba, Ponsa, Mikolajczyk 2016, Learning local feature descriptors with triplets and
/// shallow convolutional neural networks.
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           TripletMarginOptions options = {});

struct GaussianNllOptions {
  bool full = false;  ///< add the constant ln(2 pi) / 2
  double eps = 1e-6;  ///< the least variance, positive
  Reduce reduction = Reduce::mean;
};

/// The negative log-likelihood of targets under normal distributions: (ln v + (input - target)^2 / v) / 2, v = max(var, eps).
/// **Shape**: var as the input [..., D], or [..., 1] or [...]. **Throws** ValueError for a negative variance, or unless eps is
/// positive. **Gradient**: dinput = (input - target) / v dloss, dtarget = -dinput, dvar = (1 - (input - target)^2 / v) / (2 v)
/// dloss, also below eps, so that it is pushed up. **Source**: Nix, Weigend 1994, Estimating the mean and variance of the
/// target probability distribution.
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, GaussianNllOptions options = {});

}  // namespace tapegrad
