// gather:       y[o, i, r] = x[o, index[o, i, r], r]            dx = zeros, with dy added there
// scatter_add:  y = x, and y[o, index[o, i, r], r] += source[o, i, r]      dx = dy, dsource = dy gathered
// Each is the other's gradient. The indices are saved. The sums are made by one thread, in the order of the
// indices.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

int64_t check(const char* op, const Tensor& x, int64_t axis, const Tensor& index) {
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
  const int64_t at = check("gather", x, axis, index);
  return record("gather", compute::gather(x, at, index), {x, index}, {{"axis", at}},
                [at, shape = x.shape(), index = Saved(index)](const Tensor& dy) -> Gradients {
                  return {scatter_add(zeros(shape, {.dtype = dy.dtype()}), at, index, dy), Tensor()};
                });
}

Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source) {
  const int64_t at = check("scatter_add", x, axis, index);
  if (source.shape() != index.shape())
    fail<ShapeError>("scatter_add", "source must have index's shape {}, got {}", index.shape(),
                     source.shape());
  check_same_dtype("scatter_add", x, source);
  return record("scatter_add", compute::scatter_add(x, at, index, source), {x, index, source}, {{"axis", at}},
                [at, index = Saved(index)](const Tensor& dy, Needs needs) -> Gradients {
                  return {dy, Tensor(), needs[2] ? gather(dy, at, index) : Tensor()};
                });
}

}  // namespace tapegrad
