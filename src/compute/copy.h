// Views and copies that nothing records: other axes, another type, parts put together.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::compute {

/// A view of x with its axes in the order `axes`.
Tensor permute(const Tensor& x, const Shape& axes);
/// A view of x with two axes in each other's place.
Tensor transpose(const Tensor& x, int64_t axis0, int64_t axis1);
/// A view of x repeated to `shape`, which it must broadcast to.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// The values of x in another type. Throws ValueError for a number that int64 does not hold.
Tensor convert(const Tensor& x, Dtype dtype);

/// The contiguous y = x, which broadcasts to it and may be a view of the same memory.
void copy_into(const Tensor& x, const Tensor& y);

/// y[..., start : start + n, ...] = x along an axis, n the size of x there; y is contiguous.
void put(const Tensor& x, int64_t axis, const Tensor& y, int64_t start);

/// Zeros of `shape`, with `part` at entries start, start + step, ... of `axis`.
Tensor place(const Tensor& part, const Shape& shape, int64_t axis, int64_t start, int64_t step);

/// The elements [i][j] of each matrix with j - i <= diagonal (lower) or >= diagonal, zero elsewhere.
Tensor triangle(const Tensor& x, int64_t diagonal, bool lower);

/// y = a where the condition, a mask, holds, else b; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

/// Whether any, or all, elements of a mask hold, as a mask of one element.
Tensor any(const Tensor& x);
Tensor all(const Tensor& x);

}  // namespace tapegrad::compute
