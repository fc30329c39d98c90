// flip: the entries of some axes in reverse order, dx = dy, reversed again. The copy reads a view with negative strides.
// roll: y[(i + shift) mod n] = x[i], the two parts of x in each other's place. Made of operations.
// repeat: x laid out several times along its axes: for each axis a new one of size 1 in front of it, expanded to the
// number of copies, and both read as one. Made of views and one copy an axis; their gradients sum over the
// copies.
//
// diag: the elements [i][i + diagonal] of a matrix, which in row-major order lie one row and one element apart: a slice of the
// matrix as a vector, and place(), the gradient of a slice, the other way round. Made of operations.
// tril, triu: the elements [i][j] with j - i <= diagonal, or >= diagonal; dx = the same triangle of dy. What is left out is not
// multiplied by zero: a NaN there does not come through.
#include <algorithm>

#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor flip(const Tensor& x, const Shape& axes) {
  const uint32_t flipped = compute::axis_bits("flip", axes, x.dim());
  Shape strides = x.strides();
  int64_t offset = 0;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (!(flipped >> i & 1)) continue;
    if (x.numel() > 0) offset += (x.shape()[i] - 1) * strides[i];
    strides[i] = -strides[i];
  }
  const Tensor y = detail::contiguous_copy(detail::new_view(x, x.shape(), strides, offset));
  return record("flip", y, {x}, {{"axes", axes}}, [axes](const Tensor& dy) -> Gradients { return {flip(dy, axes)}; });
}

Tensor roll(const Tensor& x, int64_t shift, int64_t axis) {
  const int64_t at = wrap_axis("roll", axis, x.dim()), n = x.shape()[at];
  if (n == 0) return x.clone();
  const int64_t last = (shift % n + n) % n;  // so many come to the front
  return concat({narrow(x, at, n - last, last), narrow(x, at, 0, n - last)}, at);
}

Tensor roll(const Tensor& x, const Shape& shifts, const Shape& axes) {
  if (shifts.size() != axes.size() || axes.empty())
    fail<ShapeError>("roll", "there must be an axis for each shift, got shifts {} and axes {}", shifts, axes);
  Tensor y = x;
  for (int64_t i = 0; i < axes.size(); ++i) y = roll(y, shifts[i], axes[i]);
  return y;
}

Tensor repeat(const Tensor& x, const Shape& repeats) {
  if (repeats.size() < x.dim())
    fail<ShapeError>("repeat", "a count for each axis of {} is needed, got {}", x.shape(), repeats);
  Shape shape = x.shape();
  while (shape.size() < repeats.size()) shape.insert(0, 1);
  for (int64_t count : repeats)
    if (count < 0) fail<ShapeError>("repeat", "counts must not be negative, got {}", repeats);
  Tensor y = x.reshape(shape);
  for (int64_t axis = shape.size() - 1; axis >= 0; --axis) {
    if (repeats[axis] == 1) continue;
    // Fold what lies before and behind, so that eight axes are enough.
    int64_t outer = 1, inner = 1;
    for (int64_t i = 0; i < axis; ++i) outer *= shape[i];
    for (int64_t i = axis; i < shape.size(); ++i) inner *= shape[i];
    shape[axis] *= repeats[axis];
    y = y.reshape({outer, 1, inner}).expand({outer, repeats[axis], inner}).reshape(shape);
  }
  return y;
}

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
  return record(op, y, {x}, {{"diagonal", diagonal}},
                [op, diagonal, lower](const Tensor& dy) -> Gradients { return {triangle(op, dy, diagonal, lower)}; });
}

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, false); }

}  // namespace tapegrad
