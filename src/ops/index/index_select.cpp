// Entries of one axis by a list of indices; with x as [outer, n, inner]:
//   index_select:  y[o, i] = x[o, index[i]]                     dx = zeros, with dy added there
//   index_add:     y = x, and y[o, index[i]] += source[o, i]    dx = dy, dsource = dy selected
// The indices are saved. A row that is named many times is added up by one thread, in the order of the
// indices.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

int64_t check(const char* op, const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = wrap_axis(op, axis, x.dim());
  if (index.dim() != 1) fail<ShapeError>(op, "index must be a vector, got {}", index.shape());
  compute::check_indices(op, index, x.shape()[at]);
  return at;
}

}  // namespace

Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = check("index_select", x, axis, index);
  return record("index_select", compute::index_select(x, at, index), {x, index}, {{"axis", at}},
                [at, shape = x.shape(), index = Saved(index)](const Tensor& dy) -> Gradients {
                  return {index_add(zeros(shape, {.dtype = dy.dtype()}), at, index, dy), Tensor()};
                });
}

Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source) {
  const int64_t at = check("index_add", x, axis, index);
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
