// Elements by their indices, and of one axis by a list of indices; with x as [outer, n, inner]:
//   gather:        y[o, i, r] = x[o, index[o, i, r], r]            dx = zeros, with dy added there
//   scatter_add:   y = x, and y[o, index[o, i, r], r] += source[o, i, r]      dx = dy, dsource = dy gathered
//   index_select:  y[o, i] = x[o, index[i]]                     dx = zeros, with dy added there
//   index_add:     y = x, and y[o, index[i]] += source[o, i]    dx = dy, dsource = dy selected
// Of each pair one is the other's gradient. The indices are saved. The sums are made by one thread, in the order of the indices.
//
// y[i] = weight[index[i]], rows of D elements.
//   dweight[k] = sum of dy[i] over all i with index[i] = k; row padding_idx gets none
// Saved: the index. Backward is linear in dy, and its own backward is the lookup again, without the padding
// row: the two operations below are each other's gradient.
//
// Numerics: a row that is used many times is summed in the dtype, in the order of the index.
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
    fail<ShapeError>("scatter_add", "source must have index's shape {}, got {}", index.shape(), source.shape());
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
    fail<ShapeError>("index_add", "source must be {} for x {} and {} indices, got {}", shape, x.shape(), index.numel(),
                     source.shape());
  check_same_dtype("index_add", x, source);
  const Tensor y = detail::contiguous_copy(x);
  compute::index_add(source, at, index, y);
  return record("index_add", y, {x, index, source}, {{"axis", at}},
                [at, index = Saved(index)](const Tensor& dy, Needs needs) -> Gradients {
                  return {dy, Tensor(), needs[2] ? index_select(dy, at, index) : Tensor()};
                });
}

namespace {

struct Table {
  int64_t rows;
  int64_t padding;  // -1: none
};

Tensor sum_by_row(const Tensor& dy, const Tensor& index, Table table);

// Rows of weight, and zeros for `zero`.
Tensor lookup(const Tensor& weight, const Tensor& index, Table table, int64_t zero) {
  return record("embedding", compute::index_select(weight, 0, index, zero), {weight, index},
                {{"padding_idx", table.padding}}, [index = Saved(index), table](const Tensor& dy) -> Gradients {
                  return {sum_by_row(dy, index, table), Tensor()};
                });
}

// dweight, recorded where dy is.
Tensor sum_by_row(const Tensor& dy, const Tensor& index, Table table) {
  const Tensor dweight = zeros({table.rows, dy.size(-1)}, {.dtype = dy.dtype()});
  compute::index_add(dy, 0, index, dweight, table.padding);
  return record("embedding_backward", dweight, {dy, index}, {{"rows", table.rows}, {"padding_idx", table.padding}},
                [index = Saved(index), table](const Tensor& ddweight) -> Gradients {
                  return {lookup(ddweight, index, table, table.padding), Tensor()};
                });
}

Table check(const Tensor& weight, const Tensor& index, const EmbeddingOptions& options) {
  if (weight.dim() != 2) fail<ShapeError>("embedding", "weight must be [num, D], got {}", weight.shape());
  const int64_t rows = weight.shape()[0];
  if (index.dtype() != int64)
    fail<DtypeError>("embedding", "indices must be int64, got {}. Hint: convert them with index.to(int64)",
                     index.dtype());
  int64_t padding = -1;
  if (options.padding_idx) {
    padding = *options.padding_idx < 0 ? *options.padding_idx + rows : *options.padding_idx;
    if (padding < 0 || padding >= rows)
      fail<IndexError>("embedding", "padding_idx must be in [{}, {}), got {}", -rows, rows, *options.padding_idx);
  }
  if (const int64_t at = compute::first_outside(index, rows); at >= 0)
    fail<IndexError>("embedding", "index {} must be in [0, {}), got {}", at, rows,
                     index.to_vector<int64_t>()[size_t(at)]);
  check_floating("embedding", weight);
  return {rows, padding};
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& index, EmbeddingOptions options) {
  return lookup(weight, index, check(weight, index, options), -1);
}

}  // namespace tapegrad
