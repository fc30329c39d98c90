// y[i] = weight[index[i]], rows of D elements.
//   dweight[k] = sum of dy[i] over all i with index[i] = k; row padding_idx gets none
// Saved: the index. Backward is linear in dy, and its own backward is the lookup again, without the padding
// row: the two operations below are each other's gradient.
//
// Numerics: a row that is used many times is summed in the dtype, in the order of the index.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

struct Table {
  int64_t rows, d;
  int64_t padding;  // -1: none
};

// y[i] = weight[index[i]]; `padding` reads as zeros where `skip_padding`.
Tensor lookup(const Tensor& weight, const Tensor& index, Table table, bool skip_padding) {
  Shape shape = index.shape();
  shape.push_back(table.d);
  const Tensor from = weight.detach().contiguous();
  Tensor y = detail::new_tensor(shape, weight.dtype());
  detail::dispatch_float("embedding", weight.dtype(), [&]<class T>(T) {
    const T* rows = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    const int64_t* at = detail::ptr<int64_t>(index);
    for (int64_t i = 0; i < index.numel(); ++i, out += table.d)
      if (skip_padding && at[i] == table.padding)
        std::fill_n(out, table.d, T(0));
      else
        std::copy_n(rows + at[i] * table.d, table.d, out);
  });
  return y;
}

Tensor scatter(const Tensor& dy, const Tensor& index, Table table) {
  const Tensor from = dy.detach().contiguous();
  const Tensor dweight = zeros({table.rows, table.d}, {.dtype = dy.dtype()});
  detail::dispatch_float("embedding", dy.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* rows = detail::mutable_ptr<T>(dweight);
    const int64_t* at = detail::ptr<int64_t>(index);
    for (int64_t i = 0; i < index.numel(); ++i, in += table.d) {
      if (at[i] == table.padding) continue;
      T* row = rows + at[i] * table.d;
      for (int64_t j = 0; j < table.d; ++j) row[j] += in[j];
    }
  });
  return dweight;
}

// dweight, recorded where dy is.
Tensor embedding_backward(const Tensor& dy, const Tensor& index, Table table) {
  return record("embedding_backward", scatter(dy, index, table), {dy},
                [index = Saved(index), table](const Tensor& ddweight) -> Gradients {
                  const Tensor ddy = lookup(ddweight, index, table, true);
                  return {record("embedding", ddy, {ddweight}, [index, table](const Tensor& g) -> Gradients {
                    return {embedding_backward(g, index, table)};
                  })};
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
  const int64_t* at = detail::ptr<int64_t>(index);
  for (int64_t i = 0; i < index.numel(); ++i)
    if (at[i] < 0 || at[i] >= rows)
      fail<IndexError>("embedding", "index {} must be in [0, {}), got {}", i, rows, at[i]);
  return {rows, weight.shape()[1], padding};
}

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& index, EmbeddingOptions options) {
  const Tensor from = index.contiguous();
  const Table table = check(weight, from, options);
  return record("embedding", lookup(weight, from, table, false), {weight},
                [index = Saved(from), table](const Tensor& dy) -> Gradients {
                  return {embedding_backward(dy, index, table)};
                });
}

}  // namespace tapegrad
