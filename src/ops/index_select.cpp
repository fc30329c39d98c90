// Entries of one axis by a list of indices; with x as [outer, n, inner]:
//   index_select, embedding:  y[o, i] = x[o, index[i]]                  dx = zeros, with dy added there
//   index_add:                y = x, and y[o, index[i]] += source[o, i]    dx = dy, dsource = dy selected
// The indices are saved. A row that is named many times is added up by one thread, in the order of the
// indices.
//
// The padding row of an embedding is read but never learns: its terms are left out of the gradient, and so,
// in the gradient of that gradient, what it would read is zero. Both passes take an index to leave out.
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/index_check.h"

namespace tapegrad {

namespace {

constexpr int64_t kNone = -1;  // no index is left out

struct Blocks {
  int64_t outer = 1, inner = 1;
  Blocks(const Shape& shape, int64_t axis) {
    for (int64_t i = 0; i < axis; ++i) outer *= shape[i];
    for (int64_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
};

// y[o, i] = x[o, index[i]], zero where index[i] is left out; `shape` is y's.
template <class T>
void take_rows(const Tensor& x, int64_t axis, const Tensor& index, int64_t left_out, const Tensor& y) {
  const Blocks blocks(x.shape(), axis);
  const int64_t n = x.shape()[axis], count = index.numel(), inner = blocks.inner;
  const int64_t* at = detail::ptr<int64_t>(index);
  const T* in = detail::ptr<T>(x);
  T* out = detail::mutable_ptr<T>(y);
  for (int64_t o = 0; o < blocks.outer; ++o)
    for (int64_t i = 0; i < count; ++i) {
      T* to = out + (o * count + i) * inner;
      if (at[i] == left_out)
        std::fill_n(to, inner, T(0));
      else
        std::copy_n(in + (o * n + at[i]) * inner, inner, to);
    }
}

// y[o, index[i]] += x[o, i], but where index[i] is left out.
template <class T>
void add_rows(const Tensor& x, int64_t axis, const Tensor& index, int64_t left_out, const Tensor& y) {
  const Blocks blocks(y.shape(), axis);
  const int64_t n = y.shape()[axis], count = index.numel(), inner = blocks.inner;
  const int64_t* at = detail::ptr<int64_t>(index);
  const T* in = detail::ptr<T>(x);
  T* out = detail::mutable_ptr<T>(y);
  for (int64_t o = 0; o < blocks.outer; ++o)
    for (int64_t i = 0; i < count; ++i) {
      if (at[i] == left_out) continue;
      const T* from = in + (o * count + i) * inner;
      T* to = out + (o * n + at[i]) * inner;
      for (int64_t k = 0; k < inner; ++k) to[k] += from[k];
    }
}

Tensor add(const char* op, const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source,
           int64_t left_out);

// index is contiguous and checked; its axes take the place of `axis`.
Tensor take(const char* op, const Tensor& x, int64_t axis, const Tensor& index, int64_t left_out,
            bool read_left_out) {
  Shape shape;
  for (int64_t i = 0; i < axis; ++i) shape.push_back(x.shape()[i]);
  for (int64_t size : index.shape()) shape.push_back(size);
  for (int64_t i = axis + 1; i < x.dim(); ++i) shape.push_back(x.shape()[i]);
  Tensor y = detail::new_tensor(shape, x.dtype());
  const Tensor from = x.detach().contiguous();
  detail::dispatch_all(
      x.dtype(), [&]<class T>(T) { take_rows<T>(from, axis, index, read_left_out ? kNone : left_out, y); });
  return record(op, y, {x},
                [axis, left_out, shape = x.shape(), index = Saved(index)](const Tensor& dy) -> Gradients {
                  return {add("index_add", zeros(shape, {.dtype = dy.dtype()}), axis, index, dy, left_out)};
                });
}

Tensor add(const char* op, const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source,
           int64_t left_out) {
  Tensor y = x.detach().clone();
  const Tensor from = source.detach().contiguous();
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) { add_rows<T>(from, axis, index, left_out, y); });
  return record(op, y, {x, source},
                [axis, left_out, index = Saved(index)](const Tensor& dy, Needs needs) -> Gradients {
                  return {dy, needs[1] ? take("index_select", dy, axis, index, left_out, false) : Tensor()};
                });
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
  return take("index_select", x, at, index.contiguous(), kNone, true);
}

Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source) {
  const int64_t at = check("index_add", x, axis, index);
  Shape shape = x.shape();
  shape[at] = index.numel();
  if (source.shape() != shape)
    fail<ShapeError>("index_add", "source must be {} for x {} and {} indices, got {}", shape, x.shape(),
                     index.numel(), source.shape());
  check_same_dtype("index_add", x, source);
  return add("index_add", x, at, index.contiguous(), source, kNone);
}

Tensor embedding(const Tensor& weight, const Tensor& indices, EmbeddingOptions options) {
  if (weight.dim() != 2)
    fail<ShapeError>("embedding", "weight must be [num_embeddings, embedding_dim], got {}", weight.shape());
  const int64_t rows = weight.shape()[0];
  int64_t padding = options.padding_idx.value_or(kNone);
  if (options.padding_idx) {
    if (padding < -rows || padding >= rows)
      fail<IndexError>("embedding", "padding_idx must be in [{}, {}] for weight {}, got {}", -rows, rows - 1,
                       weight.shape(), padding);
    if (padding < 0) padding += rows;
  }
  check_indices("embedding", indices, rows);
  return take("embedding", weight, 0, indices.contiguous(), padding, true);
}

}  // namespace tapegrad
