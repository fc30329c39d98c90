// Entries of a tensor by their indices. The indices were checked; sums are made by one thread, in the order of
// the indices.
#pragma once
#include <tapegrad/tensor.h>

#include <span>

namespace tapegrad::compute {

/// The position in row-major order of the first index outside [0, size), or -1.
int64_t first_outside(const Tensor& index, int64_t size);
/// Throws DtypeError unless `index` is int64, IndexError for the first element outside [0, size).
void check_indices(const char* op, const Tensor& index, int64_t size);

/// y[o, i, r] = x[o, index[o, i, r], r], the axis in the middle.
Tensor gather(const Tensor& x, int64_t axis, const Tensor& index);
/// y = x, and y[o, index[o, i, r], r] += source[o, i, r].
Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source);

/// y[o, i] = x[o, index[i]]; `index` is a vector.
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index);
/// y = x, and y[o, index[i]] += source[o, i].
Tensor index_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source);
/// Rows of x, copied one after the other, on several threads.
Tensor rows(const Tensor& x, std::span<const int64_t> indices);

/// y[i] = weight[index[i]], and zeros where index[i] is `zero_row` (-1: nowhere).
Tensor lookup(const Tensor& weight, const Tensor& index, int64_t zero_row);
/// y[k] = sum of dy[i] over all i with index[i] = k, for `rows` rows; 0 for row `zero_row`.
Tensor add_rows(const Tensor& dy, const Tensor& index, int64_t rows, int64_t zero_row);

/// y[..., c] = 1 where c is the index, else 0.
Tensor one_hot(const Tensor& index, int64_t num_classes, Dtype dtype);

/// Where the first `count` elements along an axis stand when it is sorted; ties go by position, NaN is the
/// largest.
Tensor argsort(const Tensor& x, int64_t axis, int64_t count, bool descending);

}  // namespace tapegrad::compute
