// a = L L^T with L lower triangular, of a symmetric, positive definite a.
//   da = dL L^T + L dL^T, so L^-1 da L^-T = M + M^T with M = L^-1 dL lower triangular, whence M = P(L^-1 da L^-T), where
//   P takes the lower triangle with half of the diagonal. Turned round, with G the gradient of L:
//   S = L^-T P(L^T G) L^-1,  gradient of a: (S + S^T) / 2
// made symmetric, as a stays. L is saved. Source: Murray 2016, "Differentiation of the Cholesky decomposition",
// arXiv:1602.07527, equations 8 and 10.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor halved_triangle(const Tensor& x) {
  const TensorOptions options{.dtype = x.dtype()};
  const int64_t n = x.shape().back();
  return x * (tril(ones({n, n}, options)) - eye(n, options) * 0.5);
}

}  // namespace

Tensor cholesky(const Tensor& a) {
  if (a.dim() < 2 || a.shape().back() != a.shape()[a.dim() - 2])
    fail<ShapeError>("cholesky", "the matrices must be [..., n, n], got {}", a.shape());
  check_floating("cholesky", a);
  const Tensor y = compute::cholesky(a);
  if (!compute::all_finite(y))
    fail<ValueError>(
        "cholesky",
        "the matrix must be symmetric and positive definite. Hint: add a small multiple of eye()");
  return record("cholesky", y, {a}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    const Tensor turned = y.get().transpose(-1, -2);
    const Tensor left = solve(turned, halved_triangle(matmul(turned, dy)));
    const Tensor both = solve(turned, left.transpose(-1, -2));
    return {(both + both.transpose(-1, -2)) * 0.5};
  });
}

}  // namespace tapegrad
