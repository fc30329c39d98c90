// y = x with values at index tuples. The first k axes of x count as one, of n rows, and the k indices as one into it, r[i]:
//   y[r[i]] = values[i], or y[r[i]] += values[i] with `accumulate`, which is index_add().
// Without it a row of y is that of the last i with its r[i], or x's: a choice between two operands, by where(), with the
// gradients that this has. Made of operations.
//
// masked_fill: y = value where mask, else x, which is where() whose result keeps x's shape.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor index_put(const Tensor& x, TensorList indices, const Tensor& values, IndexPutOptions options) {
  const char* op = "index_put";
  const int64_t k = int64_t(indices.size());
  if (k < 1 || k > x.dim())
    fail<ShapeError>(op, "there must be an index for one to all of the axes of {}, got {}", x.shape(), k);
  check_same_dtype(op, x, values);
  Shape shape = indices[0].shape(), rest;
  int64_t rows = 1;
  for (int64_t i = 0; i < k; ++i) {
    compute::check_indices(op, indices[size_t(i)], x.shape()[i]);
    shape = broadcast_shape(op, shape, indices[size_t(i)].shape());
    rows *= x.shape()[i];
  }
  Tensor row = zeros({}, {.dtype = int64});
  for (int64_t i = 0; i < k; ++i) row = row * double(x.shape()[i]) + indices[size_t(i)];
  const Tensor at = row.expand(shape).reshape({shape.numel()});
  for (int64_t i = k; i < x.dim(); ++i) rest.push_back(x.shape()[i]);
  Shape wanted = shape;
  for (int64_t size : rest) wanted.push_back(size);
  if (broadcast_shape(op, wanted, values.shape()) != wanted)
    fail<ShapeError>(op, "values must broadcast to {}, got {}", wanted, values.shape());
  Shape as_rows = rest;
  as_rows.insert(0, at.numel());
  const Tensor source = values.expand(wanted).reshape(as_rows);
  as_rows[0] = rows;
  const Tensor old = x.reshape(as_rows);
  if (options.accumulate) return index_add(old, 0, at, source).reshape(x.shape());
  if (at.numel() == 0) return x.clone();
  const Tensor last = compute::last_positions(at, rows);
  for (int64_t& size : rest) size = 1;
  rest.insert(0, rows);
  return where(ge(last, 0).reshape(rest), index_select(source, 0, where(last < 0, 0, last)), old)
      .reshape(x.shape());
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  if (broadcast_shape("masked_fill", x.shape(), mask.shape()) != x.shape())
    fail<ShapeError>("masked_fill", "mask must broadcast to {}, got {}", x.shape(), mask.shape());
  return where(mask, value, x);
}

}  // namespace tapegrad
