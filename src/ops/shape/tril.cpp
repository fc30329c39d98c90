// The elements [i][j] of each matrix with j - i <= diagonal (tril) or >= diagonal (triu), zero elsewhere.
//   dx = the same triangle of dy
// Nothing is saved. What is left out is not multiplied by zero: a NaN there does not come through.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor triangle(const char* op, const Tensor& x, int64_t diagonal, bool lower) {
  if (x.dim() < 2) fail<ShapeError>(op, "takes matrices, got {}", x.shape());
  const int64_t rows = x.shape()[x.dim() - 2], columns = x.shape()[x.dim() - 1];
  const Tensor from = x.detach().contiguous();
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for (int64_t at = 0, row = 0; at < y.numel(); at += columns, ++row) {
      const int64_t i = row % rows;
      const int64_t begin = lower ? 0 : std::clamp<int64_t>(i + diagonal, 0, columns);
      const int64_t end = lower ? std::clamp<int64_t>(i + diagonal + 1, 0, columns) : columns;
      std::fill_n(out + at, columns, T(0));
      std::copy(in + at + begin, in + at + end, out + at + begin);
    }
  });
  return record(op, y, {x}, [op, diagonal, lower](const Tensor& dy) -> Gradients {
    return {triangle(op, dy, diagonal, lower)};
  });
}

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) {
  return triangle("tril", x, diagonal, true);
}
Tensor triu(const Tensor& x, int64_t diagonal) {
  return triangle("triu", x, diagonal, false);
}

}  // namespace tapegrad
