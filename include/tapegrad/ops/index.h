// Elements picked by index, and sorting.
//
// Indices are int64 and count from 0; negative ones are errors. They are always checked. **Throws** (all of
// them) IndexError for an index outside its range, naming its position, or an axis that x does not have, DtypeError for
// indices that are not int64, ShapeError for shapes that do not fit. x is of any dtype where elements are picked, and
// floating where they are added. **Gradient**: flows to the elements that were picked; where one was picked many times,
// the sum is in the order of the indices, the same for any number of threads. Indices get none.
#pragma once
#include <tapegrad/ops/reduce.h>
#include <tapegrad/ops/shape.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y[i][j] = x[index[i][j]][j] for axis 0, y[i][j] = x[i][index[i][j]] for axis 1, and so on.
/// **Shape**: index has as many axes as x, none longer than x's but `axis`; y has its shape. **Gradient**: dx is zeros, to
/// which dy is added as scatter_add() does it.
Tensor gather(const Tensor& x, int64_t axis, const Tensor& index);

/// A copy of x, to which source[i][j] is added at [index[i][j]][j] (axis 0), and so on: the reverse of
/// gather.
/// **Shape**: index as in gather(), source its shape, y x's. **Gradient**: dx = dy, dsource = gather(dy, axis, index).
/// **Throws** DtypeError too where source has another dtype than x. PyTorch lets source be larger than index.
Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source);

/// The entries of an axis that a vector of indices names, in its order: y[i] = x[index[i]] for axis 0.
/// **Shape**: index [K]; y as x, with K entries along the axis. **Gradient**: dx is zeros, to which dy is added as
/// index_add() does it.
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index);

/// A copy of x, to whose entry index[i] of an axis entry i of source is added: the reverse of index_select.
/// **Shape**: index [K], source as x with K entries along the axis, y as x. **Throws** DtypeError too where source has
/// another dtype than x. **Gradient**: dx = dy, dsource = index_select(dy, axis, index).
Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source);

struct IndexPutOptions {
  bool accumulate = false;  ///< add to what is there, and add up what meets
};

/// A copy of x with values at indices: y[index_0[i]][index_1[i]] = values[i], what PyTorch writes x[index_0, index_1] = values,
/// with a gradient.
///
/// **Shape**: k vectors or tensors of indices, which broadcast to one shape B, for the first k axes of x; the values
/// broadcast to [B..., x's other axes...]. **Throws** DtypeError too where values have another dtype than x, or for
/// `accumulate` unless x is floating. Of values that meet, the last one counts; with `accumulate` all do.
/// **Gradient**: dx = dy, 0 where something was written; dvalues = dy at the indices, 0 for what was written over. With
/// `accumulate` dx = dy and dvalues = dy at the indices.
///
///     y = index_put(x, {rows, columns}, zeros({}));      // x[rows[i]][columns[i]] = 0
Tensor index_put(const Tensor& x, TensorList indices, const Tensor& values, IndexPutOptions options = {});

/// x with `value` where the boolean mask is true. **Shape**: the mask broadcasts to x; y as x. **Throws** DtypeError for a
/// mask that is not boolean, and for a fraction in an int64 x. **Gradient**: dx = dy where the mask is false, else 0.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

struct SortOptions {
  bool descending = false;
};

/// The elements of an axis in order, and where they stood; equal ones keep their order. NaN counts as the
/// largest, as in PyTorch: last, or first where descending. **Shape**: both as x. **Gradient**: dx[indices[i]] = dy[i].
ValuesAndIndices sort(const Tensor& x, Axis axis = -1, SortOptions options = {});
/// The indices of sort(), int64; no gradient.
Tensor argsort(const Tensor& x, Axis axis = -1, SortOptions options = {});

struct TopkOptions {
  bool largest = true;  ///< else the smallest
};

/// The k largest elements of an axis, largest first, or smallest, smallest first, and where they stood; of equal ones the
/// first. **Shape**: both as x, with k entries along the axis. **Throws** IndexError unless k is in [0, size of the axis].
/// **Gradient**: dx[indices[i]] = dy[i], else 0.
ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t axis = -1, TopkOptions options = {});

struct BincountOptions {
  Tensor weights = {};    ///< what each element counts for, like x; undefined: 1
  int64_t minlength = 0;  ///< at least so many bins
};

/// How often each number occurs: y[c] = number of i with x[i] = c. **Shape**: x [N] int64; y [max(x) + 1, or minlength], int64,
/// or of the dtype of the weights, whose sum it is then. **Throws** ShapeError unless x is a vector and the weights are like it,
/// IndexError for a negative element, ValueError for a negative minlength. **Gradient**: dweights[i] = dy[x[i]].
Tensor bincount(const Tensor& x, const BincountOptions& options = {});

/// How many elements lie in each of `bins` equal parts of [min, max]. The last part includes max, and what lies outside, or is
/// NaN, counts nowhere. Where min and max are equal, both are the smallest and largest element. **Shape**:
/// x any, floating; y [bins], in x's dtype. **Throws** ValueError unless bins is positive and the range finite with
/// min <= max. No gradient.
Tensor histc(const Tensor& x, int64_t bins = 100, double min = 0, double max = 0);

/// Zeros with a one at the index: y[..., indices[...]] = 1. **Shape**: y [indices..., num_classes]. **Throws** ValueError
/// unless num_classes is at least 1. No gradient. As an option it is float32; PyTorch's is int64, and finds num_classes.
Tensor one_hot(const Tensor& indices, int64_t num_classes, TensorOptions options = {});

}  // namespace tapegrad
