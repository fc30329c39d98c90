// cos(a, b) = (a . b) / (max(|a|, eps) max(|b|, eps)), along one axis, and the loss made of it. Made of
// operations.
//
// Numerics: float64, so that squares neither over- nor underflow in float32. The maximum is taken of the
// squares, before the root: its slope at 0 is infinite, and the chosen constant has none.
#include "ops/loss/loss.h"

namespace tapegrad {

namespace {

Tensor inverse_length(const Tensor& x, int64_t axis, double eps) {
  const Tensor square = sum(x * x, axis);
  return rsqrt(where(square < eps * eps, eps * eps, square));
}

void check_signs(const Tensor& a, const Tensor& target) {
  if (a.dim() != 2 || target.shape() != Shape{a.shape()[0]})
    fail<ShapeError>("cosine_embedding_loss", "a and b must be [N, D] and the target [N], got {} and {}",
                     a.shape(), target.shape());
  compute::check_signs("cosine_embedding_loss", target);
}

}  // namespace

Tensor cosine_similarity(const Tensor& a, const Tensor& b, CosineOptions options) {
  check_pair("cosine_similarity", a, b);
  if (!(options.eps > 0)) fail<ValueError>("cosine_similarity", "eps must be positive, got {}", options.eps);
  const int64_t axis = wrap_axis("cosine_similarity", options.axis, a.dim());
  const Tensor x = a.to(float64), y = b.to(float64);
  const Tensor cosine =
      sum(x * y, axis) * inverse_length(x, axis, options.eps) * inverse_length(y, axis, options.eps);
  return cosine.to(a.dtype());
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target,
                             CosineEmbeddingOptions options) {
  check_pair("cosine_embedding_loss", a, b);
  check_signs(a, target);
  if (!(options.margin >= -1 && options.margin <= 1))
    fail<ValueError>("cosine_embedding_loss", "margin must be in [-1, 1], got {}", options.margin);
  const Tensor cosine = cosine_similarity(a, b);
  const Tensor losses = where(eq(target, 1.0), 1.0 - cosine, relu(cosine - options.margin));
  return reduced("cosine_embedding_loss", losses, options.reduction);
}

}  // namespace tapegrad
