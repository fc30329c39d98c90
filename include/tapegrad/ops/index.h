// File: ops/index.h
//
// Elements picked by index, and sorting.
//
// Indices are int64 and count from 0; negative ones are errors. They are always checked. **Throws** (all of
// them) IndexError for an index outside its range, naming its position, DtypeError for indices that are not
// int64, ShapeError for shapes that do not fit. **Gradient**: flows to the elements that were picked; where
// one was picked many times, the sum is in the order of the indices, the same for any number of threads.
// Indices get none.
#pragma once
#include <tapegrad/ops/reduce.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y[i][j] = x[index[i][j]][j] for axis 0, y[i][j] = x[i][index[i][j]] for axis 1, and so on.
/// **Shape**: index has as many axes as x, none longer than x's but `axis`; y has its shape.
Tensor gather(const Tensor& x, int64_t axis, const Tensor& index);

/// A copy of x, to which source[i][j] is added at [index[i][j]][j] (axis 0), and so on: the reverse of
/// gather.
/// **Shape**: source has index's shape.
Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source);

/// The entries of an axis that a vector of indices names, in its order.
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index);

/// A copy of x, to whose entry index[i] of an axis entry i of source is added.
Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source);

/// x with `value` where the boolean mask, broadcast to x, is true. **Gradient**: dy where it is false.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

struct SortOptions {
  bool descending = false;
};

/// The elements of an axis in order, and where they stood; equal ones keep their order. NaN counts as the
/// largest, as in PyTorch: last, or first where descending.
ValuesAndIndices sort(const Tensor& x, int64_t axis = -1, SortOptions options = {});
/// The indices of sort(); no gradient.
Tensor argsort(const Tensor& x, int64_t axis = -1, SortOptions options = {});

struct TopkOptions {
  bool largest = true;  ///< else the smallest
};

/// The k largest elements of an axis, largest first, and where they stood; of equal ones the first.
ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t axis = -1, TopkOptions options = {});

/// Zeros with a one at the index: y[..., indices[...]] = 1. **Shape**: [indices..., num_classes].
Tensor one_hot(const Tensor& indices, int64_t num_classes, TensorOptions options = {});

}  // namespace tapegrad
