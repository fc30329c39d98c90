// y = a b: y[i][j] = sum over k of a[i][k] b[k][j], for each matrix of a batch.
//   da = dy b^T    db = a^T dy
// because dL = sum dy[i][j] (da[i][k] b[k][j] + a[i][k] db[k][j]). Both inputs are saved. The transposes are
// views, which BLAS reads as they lie. An input that was broadcast along the batch axes gets one gradient per
// batch, and the tape adds them up.
//
// Vectors and a single right matrix are brought to the plain case by views: [B, m, k] x [k, n] is one product
// of B m rows, and so are both of its gradients.

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

void check(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 || b.dim() == 0)
    fail<ShapeError>("matmul", "both must have at least one axis, got {} x {}. Hint: multiply by a number with *",
                     a.shape(), b.shape());
  check_same_dtype("matmul", a, b);
  check_floating("matmul", a);
  const int64_t left = a.shape().back(), right = b.shape()[b.dim() == 1 ? 0 : b.dim() - 2];
  if (left == right) return;
  const bool transposed = b.dim() >= 2 && b.shape().back() == left;
  fail<ShapeError>("matmul", "inner sizes must match, got {} x {} ({} != {}){}", a.shape(), b.shape(), left, right,
                   transposed ? ". Hint: transpose the second argument?" : "");
}

Shape product_shape(const Shape& a, const Shape& b) {
  Shape lead_a = a, lead_b = b;
  for (int i = 0; i < 2; ++i) {
    lead_a.erase(lead_a.size() - 1);
    lead_b.erase(lead_b.size() - 1);
  }
  Shape shape = broadcast_shape("matmul", lead_a, lead_b);
  shape.push_back(a[a.size() - 2]);
  shape.push_back(b.back());
  return shape;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check(a, b);
  if (a.dim() == 1 && b.dim() == 1) return dot(a, b);
  if (a.dim() == 1) return matmul(a.unsqueeze(0), b).squeeze(-2);
  if (b.dim() == 1) return matmul(a, b.unsqueeze(1)).squeeze(-1);
  if (a.dim() > 2 && b.dim() == 2) {
    Shape shape = a.shape();
    shape[a.dim() - 1] = 1;
    const Shape rows = {shape.numel(), a.shape().back()};
    shape[a.dim() - 1] = b.shape()[1];
    return matmul(a.reshape(rows), b).reshape(shape);
  }
  const Tensor y = empty(product_shape(a.shape(), b.shape()), {.dtype = a.dtype()});
  compute::multiply("matmul", a, b, 0, y);
  return record("matmul", y, {a, b}, [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Gradients {
    return {needs[0] ? matmul(dy, b.get().transpose(-1, -2)) : Tensor(),
            needs[1] ? matmul(a.get().transpose(-1, -2), dy) : Tensor()};
  });
}

Tensor dot(const Tensor& a, const Tensor& b) {
  if (a.dim() != 1 || b.shape() != a.shape())
    fail<ShapeError>("dot", "takes two vectors of one size, got {} and {}. Hint: matmul() takes matrices", a.shape(),
                     b.shape());
  return sum(a * b);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  if (a.dim() != 1 || b.dim() != 1) fail<ShapeError>("outer", "takes two vectors, got {} and {}", a.shape(), b.shape());
  return a.unsqueeze(1) * b;
}

}  // namespace tapegrad
