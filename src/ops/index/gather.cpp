// Elements by their indices, and of one axis by a list of indices; with x as [outer, n, inner]:
//   gather:        y[o, i, r] = x[o, index[o, i, r], r]            dx = zeros, with dy added there
//   scatter_add:   y = x, and y[o, index[o, i, r], r] += source[o, i, r]      dx = dy, dsource = dy gathered
//   index_select:  y[o, i] = x[o, index[i]]                     dx = zeros, with dy added there
//   index_add:     y = x, and y[o, index[i]] += source[o, i]    dx = dy, dsource = dy selected
// Of each pair one is the other's gradient. The indices are saved. The sums are made by one thread, in the order of the indices.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

int64_t check_elements(const char* op, const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = wrap_axis(op, axis, x.dim());
  bool fits = index.dim() == x.dim();
  for (int64_t i = 0; fits && i < x.dim(); ++i) fits = i == at || index.shape()[i] <= x.shape()[i];
  if (!fits)
    fail<ShapeError>(op, "index must have the axes of x, and none longer but axis {}, got {} for x {}", at,
                     index.shape(), x.shape());
  compute::check_indices(op, index, x.shape()[at]);
  return at;
}

}  // namespace

Tensor gather(const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = check_elements("gather", x, axis, index);
  return record("gather", compute::gather(x, at, index), {x, index}, {{"axis", at}},
                [at, shape = x.shape(), index = Saved(index)](const Tensor& dy) -> Gradients {
                  return {scatter_add(zeros(shape, {.dtype = dy.dtype()}), at, index, dy), Tensor()};
                });
}

Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source) {
  const int64_t at = check_elements("scatter_add", x, axis, index);
  if (source.shape() != index.shape())
    fail<ShapeError>("scatter_add", "source must have index's shape {}, got {}", index.shape(),
                     source.shape());
  check_same_dtype("scatter_add", x, source);
  return record("scatter_add", compute::scatter_add(x, at, index, source), {x, index, source}, {{"axis", at}},
                [at, index = Saved(index)](const Tensor& dy, Needs needs) -> Gradients {
                  return {dy, Tensor(), needs[2] ? gather(dy, at, index) : Tensor()};
                });
}

namespace {

int64_t check_entries(const char* op, const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = wrap_axis(op, axis, x.dim());
  if (index.dim() != 1) fail<ShapeError>(op, "index must be a vector, got {}", index.shape());
  compute::check_indices(op, index, x.shape()[at]);
  return at;
}

}  // namespace

Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = check_entries("index_select", x, axis, index);
  return record("index_select", compute::index_select(x, at, index), {x, index}, {{"axis", at}},
                [at, shape = x.shape(), index = Saved(index)](const Tensor& dy) -> Gradients {
                  return {index_add(zeros(shape, {.dtype = dy.dtype()}), at, index, dy), Tensor()};
                });
}

Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source) {
  const int64_t at = check_entries("index_add", x, axis, index);
  Shape shape = x.shape();
  shape[at] = index.numel();
  if (source.shape() != shape)
    fail<ShapeError>("index_add", "source must be {} for x {} and {} indices, got {}", shape, x.shape(),
                     index.numel(), source.shape());
  check_same_dtype("index_add", x, source);
  const Tensor y = detail::contiguous_copy(x);
  compute::index_add(source, at, index, y);
  return record("index_add", y, {x, index, source}, {{"axis", at}},
                [at, index = Saved(index)](const Tensor& dy, Needs needs) -> Gradients {
                  return {dy, Tensor(), needs[2] ? index_select(dy, at, index) : Tensor()};
                });
}

}  // namespace tapegrad
