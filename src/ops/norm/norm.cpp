#include "ops/norm/norm.h"

namespace tapegrad {

namespace {

Shape trailing(const Shape& shape, int64_t n) {
  return Shape(std::span(shape.end() - n, size_t(n)));
}

void check_affine(const char* op, const char* name, const Tensor& x, const Shape& normalized_shape,
                  const Tensor& parameter) {
  if (!parameter.defined()) return;
  if (parameter.shape() != normalized_shape)
    fail<ShapeError>(op, "{} must be normalized_shape {}, got {}", name, normalized_shape, parameter.shape());
  check_same_dtype(op, x, parameter);
}

}  // namespace

void check_norm(const char* op, const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                const Tensor& bias, double eps) {
  const int64_t n = normalized_shape.size();
  if (n == 0 || normalized_shape.numel() == 0)
    fail<ShapeError>(op, "normalized_shape must have axes, none of size 0, got {}", normalized_shape);
  if (x.dim() < n)
    fail<ShapeError>(op,
                     "input must end in normalized_shape {}, got input {}. Hint: it needs {} axes or more",
                     normalized_shape, x.shape(), n);
  if (trailing(x.shape(), n) != normalized_shape)
    fail<ShapeError>(
        op, "input must end in normalized_shape {}, got input {}. Hint: normalized_shape {} would fit",
        normalized_shape, x.shape(), trailing(x.shape(), n));
  check_floating(op, x);
  check_affine(op, "weight", x, normalized_shape, weight);
  check_affine(op, "bias", x, normalized_shape, bias);
  if (!(eps >= 0)) fail<ValueError>(op, "eps must be at least 0, got {}", eps);
}

Axes last_axes(int64_t n) {
  Shape axes;
  for (int64_t i = -n; i < 0; ++i) axes.push_back(i);
  return Axes(axes);
}

}  // namespace tapegrad
