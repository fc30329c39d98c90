// Tensors put together along one axis.
//   dx_i = the part of dy that x_i became: a view
// Only the sizes are saved. stack() is concat() of the same tensors with a new axis of size one.
//
// A tensor cut into views along one axis, as one record with many outputs.
//   split    dx = the dys concatenated      unbind    dx = the dys stacked
// with zeros for a piece that the loss does not depend on. So the gradient is written once, whatever the
// number of pieces, where slicing them one by one would add up as many gradients of x's size.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

void check_list(const char* op, TensorList tensors) {
  if (tensors.size() == 0) fail<ValueError>(op, "at least one tensor is needed");
  for (const Tensor& x : tensors) {
    if (!x.defined()) fail<ValueError>(op, "a tensor of the list is an empty handle");
    check_same_dtype(op, tensors[0], x);
  }
}

// The tensors along an axis of a result of this shape: a new axis (stack) or their own.
Tensor joined(const char* op, TensorList tensors, const Shape& shape, int64_t axis, bool new_axis) {
  Tensor y = empty(shape, {.dtype = tensors[0].dtype()});
  detail::SmallVector<int64_t, 8> sizes;
  detail::SmallVector<detail::TensorPointer, 8> inputs;
  int64_t start = 0;
  for (const Tensor& x : tensors) {
    Shape sizes_of_x = x.shape(), strides = x.strides();
    if (new_axis) {
      sizes_of_x.insert(axis, 1);
      strides.insert(axis, 1);
    }
    compute::put(detail::new_view(x, sizes_of_x, strides, 0), axis, y, start);
    start += sizes_of_x[axis];
    sizes.push_back(sizes_of_x[axis]);
    inputs.push_back(x);
  }
  const auto vjp = [axis, new_axis, sizes](const Tensor& dy, Needs needs) -> Gradients {
    Gradients dx;
    dx.reserve(sizes.size());
    int64_t start = 0;
    for (int64_t size : sizes) {
      if (needs[dx.size()])
        dx.push_back(new_axis ? select(dy, axis, start) : narrow(dy, axis, start, size));
      else
        dx.push_back(Tensor());
      start += size;
    }
    return dx;
  };
  return record(op, y, inputs, {{"axis", axis}}, vjp);
}

}  // namespace

Tensor concat(TensorList tensors, int64_t axis) {
  check_list("concat", tensors);
  const Tensor& first = tensors[0];
  const int64_t at = wrap_axis("concat", axis, first.dim());
  Shape shape = first.shape();
  shape[at] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    bool fits = x.dim() == first.dim();
    for (int64_t k = 0; fits && k < x.dim(); ++k) fits = k == at || x.shape()[k] == shape[k];
    if (!fits)
      fail<ShapeError>("concat", "shapes must be the same but for axis {}, got {} and, at {}, {}", at, first.shape(), i,
                       x.shape());
    shape[at] += x.shape()[at];
  }
  return joined("concat", tensors, shape, at, false);
}

Tensor stack(TensorList tensors, int64_t axis) {
  check_list("stack", tensors);
  Shape shape = tensors[0].shape();
  const int64_t at = wrap_axis("stack", axis, shape.size() + 1);
  for (size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].shape() != shape)
      fail<ShapeError>("stack", "all must have one shape, got {} and, at {}, {}. Hint: concat() joins sizes", shape, i,
                       tensors[i].shape());
  shape.insert(at, int64_t(tensors.size()));
  return joined("stack", tensors, shape, at, true);
}

namespace {

using Sizes = detail::SmallVector<int64_t, 8>;

void check_count(const char* op, size_t pieces) {
  constexpr size_t kMost = 65535;  // outputs of a record are counted in 16 bits
  if (pieces > kMost) fail<ShapeError>(op, "at most {} pieces, got {}", kMost, pieces);
}

// Pieces of these sizes, which add up to the axis; or of size one, and the axis is gone from them.
Tensors cut(const char* op, const Tensor& x, int64_t axis, const Sizes& sizes, bool axis_gone = false) {
  check_count(op, sizes.size());
  Shape shape = x.shape(), strides = x.strides();
  if (axis_gone) {
    shape.erase(axis);
    strides.erase(axis);
  }
  Tensors out;
  out.reserve(sizes.size());
  int64_t start = 0;
  for (int64_t size : sizes) {
    if (!axis_gone) shape[axis] = size;
    out.push_back(detail::new_view(x, shape, strides, size > 0 ? start * x.strides()[axis] : 0));
    start += size;
  }
  const auto vjp = [whole = shape, axis, sizes, axis_gone, dtype = x.dtype()](Tensors dy) -> Gradients {
    Shape shape = whole;
    for (size_t i = 0; i < dy.size(); ++i) {
      if (dy[i].defined()) continue;
      if (!axis_gone) shape[axis] = sizes[i];
      dy[i] = zeros(shape, {.dtype = dtype});
    }
    return {axis_gone ? stack(dy, axis) : concat(dy, axis)};
  };
  return record(op, out, {x}, {{"axis", axis}}, vjp);
}

// The sizes of `pieces` pieces of `size` entries, of which the last one is shorter.
Sizes even(int64_t total, int64_t size, int64_t pieces) {
  check_count("split", size_t(pieces));
  Sizes sizes;
  for (int64_t i = 0; i < pieces; ++i) sizes.push_back(std::min(size, total - i * size));
  return sizes;
}

}  // namespace

Tensors split(const Tensor& x, int64_t size, int64_t axis) {
  const int64_t at = wrap_axis("split", axis, x.dim()), total = x.shape()[at];
  if (size < 1) fail<ValueError>("split", "the size of a piece must be at least 1, got {}", size);
  return cut("split", x, at, even(total, size, std::max<int64_t>((total + size - 1) / size, 1)));
}

Tensors split(const Tensor& x, SizeList sizes, int64_t axis) {
  const int64_t at = wrap_axis("split", axis, x.dim());
  Sizes taken;
  int64_t rest = x.shape()[at];
  for (int64_t size : sizes) {
    if (size < 0 || size > rest) break;
    rest -= size;
    taken.push_back(size);
  }
  if (rest != 0 || taken.size() < sizes.size())
    fail<ShapeError>("split", "sizes [{}] must add up to axis {} of {}", fmt::join(sizes, ", "), axis, x.shape());
  return cut("split", x, at, taken);
}

Tensors chunk(const Tensor& x, int64_t chunks, int64_t axis) {
  const int64_t at = wrap_axis("chunk", axis, x.dim()), total = x.shape()[at];
  if (chunks < 1) fail<ValueError>("chunk", "at least one chunk is needed, got {}", chunks);
  const int64_t size = (total + chunks - 1) / chunks;  // 0 for an empty axis, which has `chunks` empty pieces
  return cut("split", x, at, even(total, size, size > 0 ? (total + size - 1) / size : chunks));
}

Tensors unbind(const Tensor& x, int64_t axis) {
  const int64_t at = wrap_axis("unbind", axis, x.dim());
  check_count("unbind", size_t(x.shape()[at]));
  Sizes ones;
  for (int64_t i = 0; i < x.shape()[at]; ++i) ones.push_back(1);
  return ones.empty() ? Tensors() : cut("unbind", x, at, ones, true);
}

}  // namespace tapegrad
