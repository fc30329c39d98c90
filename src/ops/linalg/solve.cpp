// a x = b, for matrices a [n, n] and b [n, k].
//   a dx = db - da x,  so  L changes by  dx . (a^-1 (db - da x)) = (a^-T dx) . (db - da x), and with g = a^-T dx
//   gradients  b: g    a: -g x^T
// one more system, with the transpose. a and x are saved. Computed in float64 by elimination with row exchanges.
//
// y = a^-1 is the x of b = 1, whose gradient this gives as -y^T dy y^T.
// y = det(a):  dy/da_ij is the cofactor of a_ij, y a^-T by Cramer's rule.
//
// cholesky: a = L L^T with L lower triangular, of a symmetric, positive definite a.
//   da = dL L^T + L dL^T, so L^-1 da L^-T = M + M^T with M = L^-1 dL lower triangular, whence M = P(L^-1 da L^-T), where
//   P takes the lower triangle with half of the diagonal. Turned round, with G the gradient of L:
//   S = L^-T P(L^T G) L^-1,  gradient of a: (S + S^T) / 2
// made symmetric, as a stays. L is saved. Source: Murray 2016, "Differentiation of the Cholesky decomposition",
// arXiv:1602.07527, equations 8 and 10.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

void check_square(const char* op, const Tensor& a) {
  if (a.dim() < 2 || a.shape().back() != a.shape()[a.dim() - 2])
    fail<ShapeError>(op, "the matrices must be [..., n, n], got {}", a.shape());
  check_floating(op, a);
}

Tensor system(const Tensor& a, const Tensor& b, int64_t* singular) {
  const Tensor x = compute::solve(a, b, singular);
  return record("solve", x, {a, b}, [a = Saved(a), x = Saved(x)](const Tensor& dx, Needs needs) -> Gradients {
    int64_t ignored;  // a was regular, and its transpose is
    const Tensor g = system(a.get().transpose(-1, -2), dx, &ignored);
    return {needs[0] ? -matmul(g, x.get().transpose(-1, -2)) : Tensor(), g};
  });
}

Tensor solved(const char* op, const Tensor& a, const Tensor& b) {
  int64_t singular;
  const Tensor x = system(a, b, &singular);
  if (singular >= 0) fail<ValueError>(op, "the matrix must not be singular, number {} of {} is", singular, a.shape());
  return x;
}

Tensor identity_like(const Tensor& a) { return eye(a.shape().back(), {.dtype = a.dtype()}).expand(a.shape()); }

}  // namespace

Tensor solve(const Tensor& a, const Tensor& b) {
  check_square("solve", a);
  check_same_dtype("solve", a, b);
  if (a.dim() == 2 && b.shape() == Shape{a.shape()[0]}) return solved("solve", a, b.unsqueeze(1)).squeeze(1);
  Shape wanted = a.shape();
  if (b.dim() == a.dim()) wanted[a.dim() - 1] = b.shape().back();
  if (b.shape() != wanted)
    fail<ShapeError>("solve", "b must have the rows and the batches of a {}, got {}", a.shape(), b.shape());
  return solved("solve", a, b);
}

Tensor inverse(const Tensor& a) {
  check_square("inverse", a);
  return solved("inverse", a, identity_like(a));
}

Tensor det(const Tensor& a) {
  check_square("det", a);
  const Tensor y = compute::det(a);
  return record("det", y, {a}, [a = Saved(a), y = Saved(y)](const Tensor& dy) -> Gradients {
    int64_t ignored;
    const Tensor inverted = system(a.get().transpose(-1, -2), identity_like(a), &ignored);
    return {(dy * y).unsqueeze(-1).unsqueeze(-1) * inverted};
  });
}

namespace {

Tensor halved_triangle(const Tensor& x) {
  const TensorOptions options{.dtype = x.dtype()};
  const int64_t n = x.shape().back();
  return x * (tril(ones({n, n}, options)) - eye(n, options) * 0.5);
}

}  // namespace

Tensor cholesky(const Tensor& a) {
  check_square("cholesky", a);
  const Tensor y = compute::cholesky(a);
  if (!compute::all_finite(y))
    fail<ValueError>("cholesky",
                     "the matrix must be symmetric and positive definite. Hint: add a small multiple of eye()");
  return record("cholesky", y, {a}, [y = Saved(y)](const Tensor& dy) -> Gradients {
    const Tensor turned = y.get().transpose(-1, -2);
    const Tensor left = solve(turned, halved_triangle(matmul(turned, dy)));
    const Tensor both = solve(turned, left.transpose(-1, -2));
    return {(both + both.transpose(-1, -2)) * 0.5};
  });
}

}  // namespace tapegrad
