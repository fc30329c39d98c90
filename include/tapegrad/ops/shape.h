// File: ops/shape.h
//
// Other shapes of the same numbers, parts of a tensor, and tensors put together.
//
// Where it says *view*, the result shares the memory of its input: writing to one is seen in the other, and a
// tape that saved either will refuse the stale value. **Throws** (all of them) IndexError for an axis or an
// index that the tensor does not have, ShapeError for sizes that do not fit. Every dtype is taken; gradients
// flow through floating ones.
#pragma once
#include <limits>
#include <vector>

#include <tapegrad/tensor.h>

namespace tapegrad {

/// Tensors passed to a function: {a, b}, a std::vector, or what split() returned. Lives as long as the call.
class TensorList {
 public:
  TensorList(std::initializer_list<Tensor> list) : size_(list.size()) { first_ = list.begin(); }
  TensorList(const std::vector<Tensor>& list) : first_(list.data()), size_(list.size()) {}
  TensorList(const Tensors& list) : first_(list.data()), size_(list.size()) {}
  size_t size() const { return size_; }
  const Tensor& operator[](size_t i) const { return first_[i]; }
  const Tensor* begin() const { return first_; }
  const Tensor* end() const { return first_ + size_; }

 private:
  const Tensor* first_;
  size_t size_;
};

/// The elements in row-major order under another shape; one size may be -1: what is left over. A view where
/// strides can say it, else a copy.   dx = dy in x's shape.
inline Tensor reshape(const Tensor& x, const Shape& shape) {
  return x.reshape(shape);
}
/// Axes first ... last as one.
inline Tensor flatten(const Tensor& x, int64_t first = 0, int64_t last = -1) {
  return x.flatten(first, last);
}
/// Two axes exchanged; a view.
inline Tensor transpose(const Tensor& x, int64_t axis0, int64_t axis1) {
  return x.transpose(axis0, axis1);
}
/// Axis i of the result is axis axes[i] of x; a view.
inline Tensor permute(const Tensor& x, const Shape& axes) {
  return x.permute(axes);
}
/// Axes of size 1 repeated, and new ones put in front; -1 keeps a size. A view.   dx = dy summed over them.
inline Tensor expand(const Tensor& x, const Shape& shape) {
  return x.expand(shape);
}
/// Without an axis of size 1; a view.
inline Tensor squeeze(const Tensor& x, int64_t axis) {
  return x.squeeze(axis);
}
/// With a new axis of size 1 at `axis`; a view.
inline Tensor unsqueeze(const Tensor& x, int64_t axis) {
  return x.unsqueeze(axis);
}

/// The end of an axis, as the `stop` of slice().
inline constexpr int64_t to_end = std::numeric_limits<int64_t>::max();

/// Entry `index` of an axis, which is gone from the result: x[i] is select(x, 0, i). A view; a negative index
/// counts from the end.
/// **Gradient**: dy at that entry, zero elsewhere. Each call makes a gradient as large as x, so a loop over
/// x[t] costs T^2: take unbind(), whose one gradient is put together once.
Tensor select(const Tensor& x, int64_t axis, int64_t index);

/// Entries start, start + step, ... before stop, as x[start:stop:step] in Python: negative positions count
/// from the end, and what lies outside is cut off. `step` is at least 1. A view.
/// **Gradient**: dy at these entries, zero elsewhere; for all pieces of a tensor split() is cheaper.
Tensor slice(const Tensor& x, int64_t axis, int64_t start, int64_t stop = to_end, int64_t step = 1);

/// `length` entries from `start` on, all of which must exist. A view.
Tensor narrow(const Tensor& x, int64_t axis, int64_t start, int64_t length);

/// Pieces of `size` entries along an axis, the last one shorter. Views, recorded as one operation, whose
/// gradient is put together once.
Tensors split(const Tensor& x, int64_t size, int64_t axis = 0);
/// Pieces of the given sizes, which must add up to the axis.
Tensors split(const Tensor& x, const Shape& sizes, int64_t axis = 0);
/// At most `chunks` pieces of the same size, the last one shorter.
Tensors chunk(const Tensor& x, int64_t chunks, int64_t axis = 0);
/// All entries of an axis, one by one, the axis gone: the steps of a sequence. Views, recorded as one
/// operation.
///
///     for (const Tensor& x : unbind(sequence)) h = cell(x, h);
Tensors unbind(const Tensor& x, int64_t axis = 0);

/// Tensors one after the other along an axis; their other sizes must be the same.   dx_i = its part of dy.
Tensor concat(TensorList tensors, int64_t axis = 0);
/// Tensors of one shape along a new axis.
Tensor stack(TensorList tensors, int64_t axis = 0);

/// The order of the entries of these axes reversed.   dx = dy flipped back.
Tensor flip(const Tensor& x, const Shape& axes);
/// x laid out repeats[i] times along axis i; `repeats` may name more axes than x has, which come in front.
/// **Gradient**: the sum over the copies.
///
///     repeat(tensor({1, 2}), {2, 3});      // [[1, 2, 1, 2, 1, 2], [1, 2, 1, 2, 1, 2]]
Tensor repeat(const Tensor& x, const Shape& repeats);

/// The lower (tril) or upper (triu) triangle of the matrices in the last two axes, zero elsewhere: elements
/// [i][j] with j - i <= diagonal, or >= diagonal. **Gradient**: the same triangle of dy.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);

}  // namespace tapegrad
