// Samples whose probabilities are tensors: no gradient.
//   bernoulli     u < p, u uniform in [0, 1)
//   multinomial   with replacement the index where the running sum of the weights first exceeds u times their sum;
//                 without, the largest of w / e, e = -ln(1 - u) exponential: an index comes first with probability w / sum(w), and
//                 so on among the others
// Source: Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir", Information Processing Letters 97.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor uniform(const Shape& shape, Generator* generator) {
  return detail::uniform(shape, {.dtype = float64}, generator ? *generator : default_generator());
}

// Throws for the first element where the mask is false.
void check_all(const char* op, const char* rule, const Tensor& x, const Tensor& mask) {
  if (all(mask).item<bool>()) return;
  const int64_t at = argmin(mask.to(int64)).item<int64_t>();
  fail<ValueError>(op, "{}, got {} at {}", rule, x.flatten()[at].item(), detail::index_of(at, x.shape()));
}

}  // namespace

Tensor bernoulli(const Tensor& p, Generator* generator) {
  check_floating("bernoulli", p);
  check_all("bernoulli", "p must be in [0, 1]", p, logical_and(p >= 0, p <= 1));
  const Tensor y = (uniform(p.shape(), generator) < p.detach().to(float64)).to(p.dtype());
  return record_nondifferentiable("bernoulli", y, {p});
}

Tensor multinomial(const Tensor& weights, int64_t num_samples, MultinomialOptions options, Generator* generator) {
  const char* op = "multinomial";
  check_floating(op, weights);
  if ((weights.dim() != 1 && weights.dim() != 2) || weights.shape().back() == 0)
    fail<ShapeError>(op, "weights must be [K] or [N, K], K at least 1, got {}", weights.shape());
  if (num_samples < 1) fail<ValueError>(op, "num_samples must be at least 1, got {}", num_samples);
  check_all(op, "weights must be finite and not negative", weights, logical_and(weights >= 0, isfinite(weights)));
  const Tensor w = weights.detach().to(float64).reshape({-1, weights.shape().back()});
  const int64_t most = options.replacement ? 1 : num_samples;  // of one row, positive weights that are needed
  const Tensor positive = sum(w > 0, 1);
  for (int64_t row = 0; row < w.shape()[0]; ++row)
    if (const int64_t count = positive[row].item<int64_t>(); count < most)
      fail<ValueError>(op, "row {} must have at least {} positive weights, got {}{}", row, most, count,
                       count > 0 ? ". Hint: {.replacement = true} draws one again" : "");
  const Tensor y = options.replacement
                       ? compute::draw(cumsum(w, 1), uniform({w.shape()[0], num_samples}, generator))
                       : topk(w / maximum(-log1p(-uniform(w.shape(), generator)), 1e-300), num_samples, 1).indices;
  return record_nondifferentiable(op, weights.dim() == 1 ? y[0] : y, {weights},
                                  {{"num_samples", num_samples}, {"replacement", options.replacement}});
}

}  // namespace tapegrad
