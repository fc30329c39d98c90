// The elements [i][j] of each matrix with j - i <= diagonal (tril) or >= diagonal (triu), zero elsewhere.
//   dx = the same triangle of dy
// Nothing is saved. What is left out is not multiplied by zero: a NaN there does not come through.
#include "ops/elementwise.h"

namespace tapegrad {

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
