// y[i] = weight[index[i]], rows of D elements.
//   dweight[k] = sum of dy[i] over all i with index[i] = k; row padding_idx gets none
// Saved: the index. Backward is linear in dy, and its own backward is the lookup again, without the padding
// row: the two operations below are each other's gradient.
//
// Numerics: a row that is used many times is summed in the dtype, in the order of the index.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

struct Table {
  int64_t rows;
  int64_t padding;  // -1: none
};

Tensor sum_by_row(const Tensor& dy, const Tensor& index, Table table);

// Rows of weight, and zeros for `zero`.
Tensor lookup(const Tensor& weight, const Tensor& index, Table table, int64_t zero) {
  return record("embedding", compute::index_select(weight, 0, index, zero), {weight, index},
                {{"padding_idx", table.padding}},
                [index = Saved(index), table](const Tensor& dy) -> Gradients {
                  return {sum_by_row(dy, index, table), Tensor()};
                });
}

// dweight, recorded where dy is.
Tensor sum_by_row(const Tensor& dy, const Tensor& index, Table table) {
  const Tensor dweight = zeros({table.rows, dy.size(-1)}, {.dtype = dy.dtype()});
  compute::index_add(dy, 0, index, dweight, table.padding);
  return record("embedding_backward", dweight, {dy, index},
                {{"rows", table.rows}, {"padding_idx", table.padding}},
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
      fail<IndexError>("embedding", "padding_idx must be in [{}, {}), got {}", -rows, rows,
                       *options.padding_idx);
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
