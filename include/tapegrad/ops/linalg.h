// Products of vectors and matrices.
//
// **Throws** (all of them) ShapeError if the shapes do not fit or a size does not fit 32 bits (BLAS counts in
// those), DtypeError if the dtypes differ or are not floating. **Numerics**: sums in the dtype of the inputs;
// the same bits for any number of threads.
#pragma once
#include <tapegrad/tensor.h>

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

}  // namespace tapegrad
