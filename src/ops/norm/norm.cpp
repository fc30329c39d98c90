#include "ops/norm/norm.h"

namespace tapegrad {

Axes check_norm(const char* op, const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                const Tensor& bias, double eps) {
  const int64_t n = normalized_shape.size();
  if (n == 0 || normalized_shape.numel() == 0)
    fail<ShapeError>(op, "normalized_shape must have axes, none of size 0, got {}", normalized_shape);
  if (x.dim() < n)
    fail<ShapeError>(op,
                     "input must end in normalized_shape {}, got input {}. Hint: it needs {} axes or more",
                     normalized_shape, x.shape(), n);
  const Shape trailing(std::span(x.shape().end() - n, size_t(n)));
  if (trailing != normalized_shape)
    fail<ShapeError>(
        op, "input must end in normalized_shape {}, got input {}. Hint: normalized_shape {} would fit",
        normalized_shape, x.shape(), trailing);
  check_floating(op, x);
  for (const Tensor* parameter : {&weight, &bias}) {
    if (!parameter->defined()) continue;
    if (parameter->shape() != normalized_shape)
      fail<ShapeError>(op, "{} must be normalized_shape {}, got {}", parameter == &weight ? "weight" : "bias",
                       normalized_shape, parameter->shape());
    check_same_dtype(op, x, *parameter);
  }
  if (!(eps >= 0)) fail<ValueError>(op, "eps must be at least 0, got {}", eps);
  Shape axes;
  for (int64_t i = -n; i < 0; ++i) axes.push_back(i);
  return Axes(axes);
}

}  // namespace tapegrad
