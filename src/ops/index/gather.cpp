// gather:       y[o, i, r] = x[o, index[o, i, r], r]            dx = zeros, with dy added there
// scatter_add:  y = x, and y[o, index[o, i, r], r] += source[o, i, r]      dx = dy, dsource = dy gathered
// Each is the other's gradient. The indices are saved. The sums are made by one thread, in the order of the
// indices.
#include <algorithm>

#include "kernels/loops/strided.h"
#include "ops/elementwise.h"
#include "ops/index/index_check.h"

namespace tapegrad {

namespace {

int64_t check(const char* op, const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = wrap_axis(op, axis, x.dim());
  bool fits = index.dim() == x.dim();
  for (int64_t i = 0; fits && i < x.dim(); ++i) fits = i == at || index.shape()[i] <= x.shape()[i];
  if (!fits)
    fail<ShapeError>(op, "index must have the axes of x, and none longer but axis {}, got {} for x {}", at,
                     index.shape(), x.shape());
  check_indices(op, index, x.shape()[at]);
  return at;
}

// f(i, offset in x) for element i of index, in row-major order.
template <class F>
void for_each_index(const Tensor& index, const Shape& strides, int64_t axis, F f) {
  const int64_t* at = detail::ptr<int64_t>(index);
  const Shape& shape = index.shape();
  const int64_t step = strides[axis];
  int64_t position[Shape::max_dims] = {}, offset = 0;  // of the row, without the axis
  for (int64_t i = 0; i < index.numel(); ++i) {
    f(i, offset + at[i] * step);
    for (int64_t d = shape.size() - 1; d >= 0; --d) {
      const int64_t stride = d == axis ? 0 : strides[d];
      offset += stride;
      if (++position[d] < shape[d]) break;
      offset -= stride * shape[d];
      position[d] = 0;
    }
  }
}

}  // namespace

Tensor gather(const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = check("gather", x, axis, index);
  const Tensor where = index.contiguous();
  Tensor y = detail::new_tensor(index.shape(), x.dtype());
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(x);
    T* out = detail::mutable_ptr<T>(y);
    for_each_index(where, x.strides(), at, [=](int64_t i, int64_t offset) { out[i] = in[offset]; });
  });
  return record("gather", y, {x},
                [at, shape = x.shape(), index = Saved(where)](const Tensor& dy) -> Gradients {
                  return {scatter_add(zeros(shape, {.dtype = dy.dtype()}), at, index, dy)};
                });
}

Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source) {
  const int64_t at = check("scatter_add", x, axis, index);
  if (source.shape() != index.shape())
    fail<ShapeError>("scatter_add", "source must have index's shape {}, got {}", index.shape(),
                     source.shape());
  check_same_dtype("scatter_add", x, source);
  const Tensor where = index.contiguous(), from = source.detach().contiguous();
  Tensor y = x.detach().clone();
  detail::dispatch_float("scatter_add", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for_each_index(where, y.strides(), at, [=](int64_t i, int64_t offset) { out[offset] += in[i]; });
  });
  return record("scatter_add", y, {x, source},
                [at, index = Saved(where)](const Tensor& dy, Needs needs) -> Gradients {
                  return {dy, needs[1] ? gather(dy, at, index) : Tensor()};
                });
}

}  // namespace tapegrad
