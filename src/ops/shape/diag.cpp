// diag: the elements [i][i + diagonal] of a matrix, which in row-major order lie one row and one element apart: a slice of the
// matrix as a vector, and place(), the gradient of a slice, the other way round. Made of operations.
// tril, triu: the elements [i][j] with j - i <= diagonal, or >= diagonal; dx = the same triangle of dy. What is left out is not
// multiplied by zero: a NaN there does not come through.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

Tensor diag(const Tensor& x, int64_t diagonal) {
  if (x.dim() != 1 && x.dim() != 2) fail<ShapeError>("diag", "takes a vector or a matrix, got {}", x.shape());
  const int64_t below = std::max<int64_t>(-diagonal, 0), right = std::max<int64_t>(diagonal, 0);
  if (x.dim() == 1) {
    const int64_t n = x.numel() + below + right;
    return place(x, {n * n}, 0, below * n + right, n + 1).reshape({n, n});
  }
  const int64_t rows = x.shape()[0], columns = x.shape()[1];
  const int64_t count = std::max<int64_t>(std::min(rows - below, columns - right), 0);
  const int64_t start = count > 0 ? below * columns + right : 0;
  return slice(x.reshape({rows * columns}), 0, start, start + count * (columns + 1), columns + 1);
}

namespace {

Tensor triangle(const char* op, const Tensor& x, int64_t diagonal, bool lower) {
  if (x.dim() < 2) fail<ShapeError>(op, "takes matrices, got {}", x.shape());
  const Tensor y = compute::triangle(x, diagonal, lower);
  return record(op, y, {x}, {{"diagonal", diagonal}}, [op, diagonal, lower](const Tensor& dy) -> Gradients {
    return {triangle(op, dy, diagonal, lower)};
  });
}

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, false); }

}  // namespace tapegrad
