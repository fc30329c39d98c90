// Other shapes of the same numbers, parts of a tensor, and tensors put together.
//
// Where it says *view*, the result shares the memory of its input: writing to one is seen in the other, and a
// tape that saved either will refuse the stale value. Axes may be negative, counting from the end. **Throws** (all of them)
// IndexError for an axis or an index that the tensor does not have, or an axis that is named twice, ShapeError for sizes
// that do not fit or more than eight axes. Every dtype is taken; gradients flow through floating ones.
#pragma once
#include <limits>
#include <ranges>
#include <span>

#include <tapegrad/tensor.h>

namespace tapegrad {

/// Several arguments of one kind: {a, b}, a std::vector, a Shape, or what split() returned. Lives as long as the call.
template <class T>
struct List : std::span<const T> {
  List(std::initializer_list<T> list) : std::span<const T>(list.begin(), list.size()) {}
  template <class Container>
  requires std::ranges::contiguous_range<const Container> List(const Container& container)
      : std::span<const T>(container) {}
};
using TensorList = List<Tensor>;
using SizeList = List<int64_t>;

/// The elements in row-major order under another shape; one size may be -1: what is left over. A view where
/// strides can say it, else a copy.   dx = dy in x's shape.
inline Tensor reshape(const Tensor& x, const Shape& shape) { return x.reshape(shape); }
/// Axes first ... last as one, whose size is their product: [2, 3, 4] becomes [2, 12] for first 1. A tensor without axes
/// becomes [1]. As reshape() in all else.
inline Tensor flatten(const Tensor& x, int64_t first = 0, int64_t last = -1) { return x.flatten(first, last); }
/// Two axes exchanged: y[j][i] = x[i][j] for axes 0 and 1. A view.   dx = dy with the two exchanged.
inline Tensor transpose(const Tensor& x, int64_t axis0, int64_t axis1) { return x.transpose(axis0, axis1); }
/// Axis i of the result is axis axes[i] of x, each of which is named once. A view.   dx = dy permuted back.
inline Tensor permute(const Tensor& x, const Shape& axes) { return x.permute(axes); }
/// x as the larger `shape`: axes of size 1 repeated, and new ones put in front; -1 keeps a size. A view, in which many
/// elements share one place in memory.   dx = dy summed over what was repeated.
inline Tensor expand(const Tensor& x, const Shape& shape) { return x.expand(shape); }
/// x without an axis, which must have size 1. A view.   dx = dy with it. PyTorch leaves a larger axis as it is.
inline Tensor squeeze(const Tensor& x, int64_t axis) { return x.squeeze(axis); }
/// x with a new axis of size 1 at `axis`, in [-dim - 1, dim]. A view.   dx = dy without it.
inline Tensor unsqueeze(const Tensor& x, int64_t axis) { return x.unsqueeze(axis); }

/// The end of an axis, as the `stop` of slice().
inline constexpr int64_t to_end = std::numeric_limits<int64_t>::max();

/// Entry `index` of an axis, which is gone from the result: x[i] is select(x, 0, i). A view; a negative index
/// counts from the end.
/// **Gradient**: dy at that entry, zero elsewhere. Each call makes a gradient as large as x, so a loop over
/// x[t] costs T^2: take unbind(), whose one gradient is put together once.
Tensor select(const Tensor& x, int64_t axis, int64_t index);

/// Entries start, start + step, ... before stop, as x[start:stop:step] in Python: negative positions count
/// from the end, and what lies outside is cut off. A view. **Throws** ValueError unless `step` is at least 1.
/// **Gradient**: dy at these entries, zero elsewhere; for all pieces of a tensor split() is cheaper.
Tensor slice(const Tensor& x, int64_t axis, int64_t start, int64_t stop = to_end, int64_t step = 1);

/// `length` entries from `start` on, which counts from the end if negative; all of them must exist. A view, with slice()'s
/// gradient.
Tensor narrow(const Tensor& x, int64_t axis, int64_t start, int64_t length);

/// Pieces of `size` entries along an axis, the last one shorter; one piece of an empty axis. At most 65535. Views, recorded
/// as one operation. **Throws** ValueError unless `size` is at least 1. **Gradient**: dx = the dys one after the other, put
/// together once, with zeros for a piece that the loss does not depend on.
Tensors split(const Tensor& x, int64_t size, int64_t axis = 0);
/// Pieces of the given sizes, any number of them, which must add up to the axis. Else as above.
Tensors split(const Tensor& x, SizeList sizes, int64_t axis = 0);
/// At most `chunks` pieces of the same size, the last one shorter; as many as that of an empty axis. Else as split().
Tensors chunk(const Tensor& x, int64_t chunks, int64_t axis = 0);
/// All entries of an axis, one by one, the axis gone: the steps of a sequence. At most 65535. Views, recorded as one
/// operation. **Gradient**: dx = the dys stacked, as in split().
///
///     for (const Tensor& x : unbind(sequence)) h = cell(x, h);
Tensors unbind(const Tensor& x, int64_t axis = 0);

/// Tensors one after the other along an axis; their other sizes must be the same.   dx_i = its part of dy. **Throws**
/// ValueError for an empty list or an empty handle in it, DtypeError if the dtypes differ. Empty tensors count as others;
/// PyTorch passes over one of shape [0].
Tensor concat(TensorList tensors, int64_t axis = 0);
/// Tensors of one shape along a new axis: y[i] = x_i for axis 0.   dx_i = its entry of dy. **Throws** as concat().
Tensor stack(TensorList tensors, int64_t axis = 0);

/// The order of the entries of these axes reversed: y[i] = x[n - 1 - i]. A copy.   dx = dy flipped back.
Tensor flip(const Tensor& x, const Shape& axes);
/// The entries of an axis moved on by `shift` places, those that leave it coming in at the other end: y[(i + shift) mod n] =
/// x[i]; of several axes, each by its own shift. A copy.   dx = dy rolled back. **Throws** ShapeError for another number of
/// shifts than of axes. Unlike in PyTorch, axes must be named: roll(x.flatten(), shift, 0).reshape(x.shape()).
Tensor roll(const Tensor& x, int64_t shift, int64_t axis);
Tensor roll(const Tensor& x, const Shape& shifts, const Shape& axes);
/// x laid out repeats[i] times along axis i; `repeats` may name more axes than x has, which come in front. A copy.
/// **Throws** ShapeError for fewer counts than axes, or negative ones. **Gradient**: the sum over the copies.
///
///     repeat(tensor({1, 2}), {2, 3});      // [[1, 2, 1, 2, 1, 2], [1, 2, 1, 2, 1, 2]]
Tensor repeat(const Tensor& x, const Shape& repeats);

/// The lower (tril) or upper (triu) triangle of the matrices in the last two axes, zero elsewhere: elements
/// [i][j] with j - i <= diagonal, or >= diagonal. A copy. What is left out may be NaN. **Throws** ShapeError for fewer than
/// two axes. **Gradient**: the same triangle of dy.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);

/// A vector on a diagonal of zeros, or the diagonal of a matrix: its elements with j - i = `diagonal`, as a view where the
/// matrix is contiguous. **Throws** ShapeError for other tensors.
/// **Gradient**: the diagonal of dy, or dy on the diagonal.
///
///     diag(x).fill_(1);      // ones on the diagonal of x
Tensor diag(const Tensor& x, int64_t diagonal = 0);

}  // namespace tapegrad
