// y = x with values at index tuples. The first k axes of x count as one, of n rows, and the k indices as one into it, r[i]:
//   y[r[i]] = values[i], or y[r[i]] += values[i] with `accumulate`, which is index_add().
// Without it a row of y is that of the last i with its r[i], or x's: a choice between two operands, by where(), with the
// gradients that this has. Made of operations.
//
// masked_fill: y = value where mask, else x, which is where() whose result keeps x's shape.
//
// How many elements are a number, or lie in an interval: ones, or weights, added up at the number of their bin by index_add(). Ones
// are added in float64, which counts to 2^53.
//
// one_hot: y[..., c] = 1 where c is the index, else 0. Piecewise constant: no gradient.
#include <algorithm>

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
  return where(ge(last, 0).reshape(rest), index_select(source, 0, where(last < 0, 0, last)), old).reshape(x.shape());
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  if (broadcast_shape("masked_fill", x.shape(), mask.shape()) != x.shape())
    fail<ShapeError>("masked_fill", "mask must broadcast to {}, got {}", x.shape(), mask.shape());
  return where(mask, value, x);
}

Tensor bincount(const Tensor& x, const BincountOptions& options) {
  const auto& [weights, minlength] = options;
  if (x.dim() != 1) fail<ShapeError>("bincount", "takes a vector, got {}", x.shape());
  if (minlength < 0) fail<ValueError>("bincount", "minlength must not be negative, got {}", minlength);
  if (weights.defined() && weights.shape() != x.shape())
    fail<ShapeError>("bincount", "weights must be {} as x, got {}", x.shape(), weights.shape());
  compute::check_indices("bincount", x, std::numeric_limits<int64_t>::max());
  const int64_t bins = std::max(minlength, x.numel() > 0 ? max(x).item<int64_t>() + 1 : 0);
  const Tensor counts = index_add(zeros({bins}, {.dtype = weights.defined() ? weights.dtype() : float64}), 0, x,
                                  weights.defined() ? weights : ones(x.shape(), {.dtype = float64}));
  return weights.defined() ? counts : counts.to(int64);
}

Tensor histc(const Tensor& x, int64_t bins, double low, double high) {
  check_floating("histc", x);
  if (bins < 1) fail<ValueError>("histc", "there must be at least one bin, got {}", bins);
  if (low == high && x.numel() > 0) {
    low = min(x).item();
    high = max(x).item();
  }
  if (!(low <= high) || !std::isfinite(high - low))
    fail<ValueError>("histc", "the range must be finite, and min not greater than max, got {} and {}", low, high);
  if (low == high) {
    low -= 1;
    high += 1;
  }
  const Tensor all = x.detach().to(float64).flatten();
  const Tensor inside = logical_and(all >= low, all <= high);
  const Tensor bin = clamp(floor((where(inside, all, low) - low) / (high - low) * double(bins)), 0, double(bins - 1));
  return index_add(zeros({bins}, {.dtype = float64}), 0, bin.to(int64), inside.to(float64)).to(x.dtype());
}

Tensor one_hot(const Tensor& indices, int64_t num_classes, TensorOptions options) {
  if (num_classes < 1) fail<ValueError>("one_hot", "num_classes must be at least 1, got {}", num_classes);
  compute::check_indices("one_hot", indices, num_classes);
  Tensor y = compute::one_hot(indices, num_classes, options.dtype);
  y.set_requires_grad(options.requires_grad);
  return record_nondifferentiable("one_hot", y, {indices},
                                  {{"num_classes", num_classes}, {"dtype", to_string(y.dtype())}});
}

}  // namespace tapegrad
