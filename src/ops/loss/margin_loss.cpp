// Losses that are content as soon as one thing exceeds another by a margin m. Made of operations.
//
//   multi_margin     sum_{c != t} w_t max(0, m - x_t + x_c)^p / C
//                    dx_c = (p z^(p-1)) w_t dloss / C where z = m - x_t + x_c > 0, and dx_t = -(the sum over c != t)
//   hinge_embedding  x where t = 1, max(0, m - x) where t = -1
//   triplet          max(0, |a - p| - |a - n| + m), |d| the norm of d + eps along the last axis
//
// At its kink a multi_margin has slope 0 and the others that of the side that costs, as in PyTorch.
//
// cos(a, b) = (a . b) / (max(|a|, eps) max(|b|, eps)), along one axis, and the loss made of it. Made of
// operations.
//
// Numerics: float64, so that squares neither over- nor underflow in float32. The maximum is taken of the
// squares, before the root: its slope at 0 is infinite, and the chosen constant has none.
#include <limits>

#include "ops/loss/loss.h"

namespace tapegrad {

namespace {

// max(x, 0), with the gradient 1 at the kink.
Tensor positive_part(const Tensor& x) { return clamp(x, 0, std::numeric_limits<double>::infinity()); }

}  // namespace

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginOptions& options) {
  const char* op = "multi_margin_loss";
  if (options.p != 1 && options.p != 2) fail<ValueError>(op, "p must be 1 or 2, got {}", options.p);
  const Labelled rows = check_labels(op, input, target, options.weight, {}, Reduce::none);
  const int64_t classes = rows.scores.shape()[1];
  const Tensor label = rows.labels.unsqueeze(1);
  const Tensor other = eq(one_hot(rows.labels, classes), 0.0);
  Tensor short_of = relu(rows.scores - gather(rows.scores, 1, label) + options.margin);
  if (options.p == 2) short_of = square(short_of);
  Tensor losses = sum(where(other, short_of, 0.0), 1) * (1.0 / double(classes));
  if (options.weight.defined()) losses = losses * index_select(options.weight.detach(), 0, rows.labels);
  return reduced(op, losses.reshape(rows.shape), options.reduction);
}

Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, HingeEmbeddingOptions options) {
  const char* op = "hinge_embedding_loss";
  check_floating(op, input);
  if (target.shape() != input.shape())
    fail<ShapeError>(op, "input and target must have one shape, got input {} and target {}", input.shape(),
                     target.shape());
  compute::check_signs(op, target);
  const Tensor losses = where(eq(target, 1.0), input, positive_part(options.margin - input));
  return reduced(op, losses, options.reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           TripletMarginOptions options) {
  const char* op = "triplet_margin_loss";
  check_pair(op, anchor, positive);
  check_pair(op, anchor, negative);
  if (anchor.dim() == 0) fail<ShapeError>(op, "anchor must be [..., D], got {}", anchor.shape());
  if (!(options.margin > 0)) fail<ValueError>(op, "margin must be positive, got {}", options.margin);
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return norm(a - b + options.eps, -1, {.p = options.p});
  };
  Tensor apart = distance(anchor, negative);
  if (options.swap) apart = minimum(apart, distance(positive, negative));
  const Tensor losses = positive_part(distance(anchor, positive) - apart + options.margin);
  return reduced(op, losses, options.reduction);
}

namespace {

Tensor inverse_length(const Tensor& x, int64_t axis, double eps) {
  const Tensor square = sum(x * x, axis);
  return rsqrt(where(square < eps * eps, eps * eps, square));
}

void check_signs(const Tensor& a, const Tensor& target) {
  if (a.dim() != 2 || target.shape() != Shape{a.shape()[0]})
    fail<ShapeError>("cosine_embedding_loss", "a and b must be [N, D] and the target [N], got {} and {}", a.shape(),
                     target.shape());
  compute::check_signs("cosine_embedding_loss", target);
}

}  // namespace

Tensor cosine_similarity(const Tensor& a, const Tensor& b, CosineOptions options) {
  check_pair("cosine_similarity", a, b);
  if (!(options.eps > 0)) fail<ValueError>("cosine_similarity", "eps must be positive, got {}", options.eps);
  const int64_t axis = wrap_axis("cosine_similarity", options.axis, a.dim());
  const Tensor x = a.to(float64), y = b.to(float64);
  const Tensor cosine = sum(x * y, axis) * inverse_length(x, axis, options.eps) * inverse_length(y, axis, options.eps);
  return cosine.to(a.dtype());
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, CosineEmbeddingOptions options) {
  check_pair("cosine_embedding_loss", a, b);
  check_signs(a, target);
  if (!(options.margin >= -1 && options.margin <= 1))
    fail<ValueError>("cosine_embedding_loss", "margin must be in [-1, 1], got {}", options.margin);
  const Tensor cosine = cosine_similarity(a, b);
  const Tensor losses = where(eq(target, 1.0), 1.0 - cosine, relu(cosine - options.margin));
  return reduced("cosine_embedding_loss", losses, options.reduction);
}

}  // namespace tapegrad
