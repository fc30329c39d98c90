// a x = b, for matrices a [n, n] and b [n, k].
//   a dx = db - da x,  so  L changes by  dx . (a^-1 (db - da x)) = (a^-T dx) . (db - da x), and with g = a^-T dx
//   gradients  b: g    a: -g x^T
// one more system, with the transpose. a and x are saved. Computed in float64 by elimination with row exchanges.
//
// y = a^-1 is the x of b = 1, whose gradient this gives as -y^T dy y^T.
// y = det(a):  dy/da_ij is the cofactor of a_ij, y a^-T by Cramer's rule.
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
  if (singular >= 0)
    fail<ValueError>(op, "the matrix must not be singular, number {} of {} is", singular, a.shape());
  return x;
}

Tensor identity_like(const Tensor& a) {
  return eye(a.shape().back(), {.dtype = a.dtype()}).expand(a.shape());
}

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

}  // namespace tapegrad
