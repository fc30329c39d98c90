#include <tapegrad/nn/weight_norm.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn::detail {

namespace {

// The weight as a matrix, one row for each slice along `axis`.
Tensor as_matrix(const Tensor& weight, int64_t axis) {
  return weight.transpose(0, axis).reshape({weight.size(axis), -1});
}

Tensor of_length_one(const Tensor& x, double eps) { return x / maximum(norm(x), eps); }

}  // namespace

Tensor lengths_along(const Tensor& v, int64_t axis) {
  const int64_t at = wrap_axis("WeightNorm", axis, v.dim());
  Shape shape = v.shape();
  for (int64_t i = 0; i < v.dim(); ++i)
    if (i != at) shape[i] = 1;
  return norm(as_matrix(v, at), {1}).reshape(shape);
}

SingularVectors singular_vectors(const Tensor& weight, int64_t axis, double eps) {
  if (!(eps > 0)) fail<ValueError>("SpectralNorm", "eps must be > 0, got {}", eps);
  const int64_t at = wrap_axis("SpectralNorm", axis, weight.dim()), rows = weight.size(at);
  const auto random = [&](int64_t n) { return of_length_one(randn({n}, {.dtype = weight.dtype()}), eps); };
  const SingularVectors vectors{random(rows), random(rows > 0 ? weight.numel() / rows : 0)};
  divided_by_sigma(weight.detach(), vectors, at, 15, eps);
  return vectors;
}

Tensor divided_by_sigma(const Tensor& weight, SingularVectors at, int64_t axis, int64_t steps, double eps) {
  if (steps < 0) fail<ValueError>("SpectralNorm", "n_power_iterations must be >= 0, got {}", steps);
  const Tensor matrix = as_matrix(weight, axis), values = matrix.detach();
  for (int64_t i = 0; i < steps; ++i) {
    at.v.copy_(of_length_one(matmul(at.u, values), eps));
    at.u.copy_(of_length_one(matmul(values, at.v), eps));
  }
  return weight /
         dot(at.u.clone(), matmul(matrix, at.v.clone()));  // clones: the next call changes them, before backward
}

}  // namespace tapegrad::nn::detail
