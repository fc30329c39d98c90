// Products of vectors and matrices, and systems of linear equations.
//
// **Throws** (all of them) ShapeError if the shapes do not fit, or for a product if a size does not fit 32 bits (BLAS counts in
// those), DtypeError if the dtypes differ or are not floating. **Numerics**: sums in the dtype of the inputs;
// the same bits for any number of threads.
#pragma once
#include <string_view>

#include <tapegrad/ops/shape.h>

namespace tapegrad {

/// The matrix product.   y = a b. **Gradient**: da = dy b^T, db = a^T dy, summed over broadcast batches.
///
/// **Shape**: [m, k] x [k, n] gives [m, n]. More axes are batches and broadcast: [B, m, k] x [k, n] gives
/// [B, m, n]. A vector is a row on the left and a column on the right, and its axis is gone from the result:
/// [k] x [k] gives [], [m, k] x [k] gives [m]. A transposed view is read as it lies, not copied.
///
///     Tensor scores = matmul(q, k.transpose(-1, -2));
Tensor matmul(const Tensor& a, const Tensor& b);

/// The sum of a[i] b[i] of two vectors.   **Shape**: [n] and [n] give []. **Gradient**: da = dy b, db = dy a.
/// **Numerics**: float32 is added up in float64.
Tensor dot(const Tensor& a, const Tensor& b);

/// Every product of two vectors: y[i][j] = a[i] b[j].   **Shape**: [m] and [n] give [m, n].
/// **Gradient**: da = dy b, db = dy^T a.
Tensor outer(const Tensor& a, const Tensor& b);

/// The affine map of a layer: y = x weight^T + bias.
///
/// **Shape**: x [..., in], weight [out, in], bias [out] or undefined (none); y [..., out].
/// **Gradient**: dx = dy weight, dweight = dy^T x, dbias = dy summed over all axes but the last.
///
///     Tensor y = linear(x, weight, bias);      // as in PyTorch
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

/// A sum of products, in Einstein's notation: a letter for each axis of each operand, and after -> those of the result; the
/// product of the operands is summed over the letters that are not there. Without -> the result has the letters that occur
/// once, in alphabetic order.
///
///     einsum("bij,bjk->bik", {a, b});      // matmul
///     einsum("i,j,ij->", {u, v, w});       // u^T w v
///
/// **Shape**: a letter has one size everywhere (no broadcasting, no "..."), and stands once in an operand: take diag() of a
/// matrix first. **Throws** ValueError for an equation that is none, ShapeError for operands that do not fit it; both name
/// the letter. **Gradient**: matmul's, as operands are multiplied from left to right.
Tensor einsum(std::string_view equation, TensorList operands);

/// x with a x = b.   dx reaches b as db = a^-T dx, and a as da = -db x^T.
///
/// **Shape**: a [..., n, n] with b [..., n, k] of the same leading axes, or a [n, n] with b [n]; x as b. **Throws** ValueError
/// for a singular matrix. **Numerics**: LU with the largest pivots of each column.
Tensor solve(const Tensor& a, const Tensor& b);
/// a^-1, as solve(a, 1) has it.   da = -y^T dy y^T. solve() is faster and loses fewer digits than a product with the inverse.
Tensor inverse(const Tensor& a);
/// The determinant, of each matrix of a batch [..., n, n], 1 for n = 0.   da = dy y a^-T, which is NaN where a is singular
/// (PyTorch has the cofactors there).
Tensor det(const Tensor& a);
/// The lower triangle L with a = L L^T, of a symmetric, positive definite a [..., n, n], of which the lower triangle is read.
/// **Throws** ValueError where a is not positive definite. **Gradient**: da = L^-T P(L^T dL) L^-1 made symmetric, where P takes
/// the lower triangle with half of the diagonal. **Source**: Murray 2016, arXiv:1602.07527.
Tensor cholesky(const Tensor& a);

}  // namespace tapegrad
