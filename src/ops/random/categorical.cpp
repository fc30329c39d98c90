// log_prob(i) = ln p_i, entropy = -sum p ln p. Where p is 0 its logarithm is never taken: the infinite derivative would come
// back from where() as 0 * inf.
#include <limits>

#include "ops/elementwise.h"

namespace tapegrad {

Categorical::Categorical(const CategoricalOptions& options) {
  const bool given = options.probs.defined();
  if (given == options.logits.defined())
    fail<ValueError>("Categorical", "takes either probs or logits, got {}", given ? "both" : "none");
  const Tensor& x = given ? options.probs : options.logits;
  check_floating("Categorical", x);
  if (x.dim() == 0 || x.shape().back() == 0)
    fail<ShapeError>("Categorical", "probs or logits must be [..., K], K at least 1, got {}", x.shape());
  if (given) {
    const Tensor zero = eq(x, 0.0);
    if (!all(logical_and(x >= 0, isfinite(x))).item<bool>() || any(eq(sum(x.detach(), -1), 0.0)).item<bool>())
      fail<ValueError>("Categorical",
                       "probs must be finite, not negative, and not all 0 in a row. Hint: {{.logits = x}} takes any");
    probs = x / sum(x, -1, {.keepdim = true});
    logits = where(zero, -std::numeric_limits<double>::infinity(), log(where(zero, 1, probs)));
  } else {
    logits = log_softmax(x, -1);
    probs = exp(logits);
  }
}

Tensor Categorical::sample(Generator* generator) const {
  Shape shape = probs.shape();
  shape.erase(shape.size() - 1);
  if (shape.numel() == 0) return empty(shape, {.dtype = int64});
  const Tensor rows = probs.detach().reshape({-1, probs.shape().back()});
  return multinomial(rows, 1, {.replacement = true}, generator).reshape(shape);
}

Tensor Categorical::log_prob(const Tensor& value) const { return gather(logits, -1, value.unsqueeze(-1)).squeeze(-1); }

Tensor Categorical::entropy() const { return -sum(probs * where(eq(probs, 0.0), 0, logits), -1); }

}  // namespace tapegrad
