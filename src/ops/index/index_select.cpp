// Entries of one axis by a list of indices; with x as [outer, n, inner]:
//   index_select:  y[o, i] = x[o, index[i]]                     dx = zeros, with dy added there
//   index_add:     y = x, and y[o, index[i]] += source[o, i]    dx = dy, dsource = dy selected
// The indices are saved. A row that is named many times is added up by one thread, in the order of the
// indices.
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/index/index_check.h"

namespace tapegrad {

namespace {

struct Blocks {
  int64_t outer = 1, inner = 1;
  Blocks(const Shape& shape, int64_t axis) {
    for (int64_t i = 0; i < axis; ++i) outer *= shape[i];
    for (int64_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
};

// y[o, i] = x[o, index[i]]
template <class T>
void take_rows(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& y) {
  const Blocks blocks(x.shape(), axis);
  const int64_t n = x.shape()[axis], count = index.numel(), inner = blocks.inner;
  const int64_t* at = detail::ptr<int64_t>(index);
  const T* in = detail::ptr<T>(x);
  T* out = detail::mutable_ptr<T>(y);
  for (int64_t o = 0; o < blocks.outer; ++o)
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(in + (o * n + at[i]) * inner, inner, out + (o * count + i) * inner);
}

// y[o, index[i]] += x[o, i]
template <class T>
void add_rows(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& y) {
  const Blocks blocks(y.shape(), axis);
  const int64_t n = y.shape()[axis], count = index.numel(), inner = blocks.inner;
  const int64_t* at = detail::ptr<int64_t>(index);
  const T* in = detail::ptr<T>(x);
  T* out = detail::mutable_ptr<T>(y);
  for (int64_t o = 0; o < blocks.outer; ++o)
    for (int64_t i = 0; i < count; ++i) {
      const T* from = in + (o * count + i) * inner;
      T* to = out + (o * n + at[i]) * inner;
      for (int64_t k = 0; k < inner; ++k) to[k] += from[k];
    }
}

int64_t check(const char* op, const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = wrap_axis(op, axis, x.dim());
  if (index.dim() != 1) fail<ShapeError>(op, "index must be a vector, got {}", index.shape());
  check_indices(op, index, x.shape()[at]);
  return at;
}

}  // namespace

Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index) {
  const int64_t at = check("index_select", x, axis, index);
  const Tensor from = x.detach().contiguous(), order = index.contiguous();
  Shape shape = x.shape();
  shape[at] = index.numel();
  Tensor y = detail::new_tensor(shape, x.dtype());
  detail::dispatch_all(x.dtype(), [&]<class T>(T) { take_rows<T>(from, at, order, y); });
  return record("index_select", y, {x},
                [at, shape = x.shape(), index = Saved(order)](const Tensor& dy) -> Gradients {
                  return {index_add(zeros(shape, {.dtype = dy.dtype()}), at, index, dy)};
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
  const Tensor from = source.detach().contiguous(), order = index.contiguous();
  Tensor y = x.detach().clone();
  detail::dispatch_float("index_add", x.dtype(), [&]<class T>(T) { add_rows<T>(from, at, order, y); });
  return record("index_add", y, {x, source},
                [at, index = Saved(order)](const Tensor& dy, Needs needs) -> Gradients {
                  return {dy, needs[1] ? index_select(dy, at, index) : Tensor()};
                });
}

}  // namespace tapegrad
