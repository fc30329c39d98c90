// Binary cross-entropy of a probability p, or of a logit x with p = sigmoid(x), against a target t.
//
//   bce_loss               y = -(t ln p + (1 - t) ln(1 - p))          dp = (p - t) / (p (1 - p)) dy
//                                                                     dt = (ln(1 - p) - ln p) dy
//   bce_with_logits_loss   -ln p = softplus(-x), -ln(1 - p) = x + softplus(-x), so with pos_weight w
//                          y = (1 - t) x + (1 + (w - 1) t) softplus(-x)
//                          dx = (p - t) dy for w = 1
//
// Numerics: softplus(-x) = ln(1 + e^-x) is max(-x, 0) + log1p(e^-|x|), which neither overflows nor loses the
// small values. bce_loss cannot know the logit: a p that was rounded to 0 or 1 has lost it. As in PyTorch its
// logarithms end at -100, and the denominator of dp at 1e-12.
//
// The Kullback-Leibler divergence of log-probabilities x from probabilities t, element by element:
//   y = t (ln t - x), and 0 where t = 0, its limit        dx = -t dy    dt = (ln t + 1 - x) dy
// or from log-probabilities: y = e^t (t - x).
// Made of operations. A t of 0 is replaced by 1 under the logarithm, so that no infinity enters the gradient.
#include "ops/loss/loss.h"

namespace tapegrad {

namespace {

Tensor logarithm(const Tensor& x) {
  const Tensor y = log(x);
  return where(y < -100, -100.0, y);
}

}  // namespace

Tensor bce_loss(const Tensor& input, const Tensor& target, LossOptions options) {
  check_pair("bce_loss", input, target);
  compute::check_probabilities("bce_loss", "input", input);
  compute::check_probabilities("bce_loss", "target", target);
  Tensor losses = map2("bce_loss", input, target, [](auto p, auto t) {
    const decltype(p) lowest = -100;
    const decltype(p) log_p = log(p), log_q = log1p(-p);
    return -(t * (log_p < lowest ? lowest : log_p) + (1 - t) * (log_q < lowest ? lowest : log_q));
  });
  losses = record("bce_loss", losses, {input, target},
                  [p = Saved(input), t = Saved(target)](const Tensor& dy, Needs needs) -> Gradients {
                    const Tensor q = 1.0 - p.get(), variance = p.get() * q;
                    return {needs[0] ? dy * (p.get() - t) / where(variance < 1e-12, 1e-12, variance) : Tensor(),
                            needs[1] ? dy * (logarithm(q) - logarithm(p)) : Tensor()};
                  });
  return reduced("bce_loss", losses, options.reduction);
}

Tensor bce_with_logits_loss(const Tensor& input, const Tensor& target, const BceWithLogitsOptions& options) {
  check_pair("bce_with_logits_loss", input, target);
  const Tensor& w = options.pos_weight;
  Tensor right = softplus(-input);
  if (w.defined()) {
    check_same_dtype("bce_with_logits_loss", input, w);
    if (broadcast_shape("bce_with_logits_loss", input.shape(), w.shape()) != input.shape())
      fail<ShapeError>("bce_with_logits_loss", "pos_weight must broadcast to the input {}, got {}", input.shape(),
                       w.shape());
    right = right * ((w - 1.0) * target + 1.0);
  }
  return reduced("bce_with_logits_loss", (1.0 - target) * input + right, options.reduction);
}

Tensor kl_div(const Tensor& input, const Tensor& target, KlDivOptions options) {
  check_pair("kl_div", input, target);
  if (options.log_target) return reduced("kl_div", exp(target) * (target - input), options.reduction);
  const Tensor some = ne(target, 0.0);
  const Tensor losses = target * (log(where(some, target, 1.0)) - input);
  return reduced("kl_div", where(some, losses, 0.0), options.reduction);
}

}  // namespace tapegrad
