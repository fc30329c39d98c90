// Tensors put together along one axis.
//   dx_i = the part of dy that x_i became: a view
// Only the sizes are saved. stack() is concat() of the same tensors with a new axis of size one.
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
      fail<ShapeError>("concat", "shapes must be the same but for axis {}, got {} and, at {}, {}", at,
                       first.shape(), i, x.shape());
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
      fail<ShapeError>("stack", "all must have one shape, got {} and, at {}, {}. Hint: concat() joins sizes",
                       shape, i, tensors[i].shape());
  shape.insert(at, int64_t(tensors.size()));
  return joined("stack", tensors, shape, at, true);
}

}  // namespace tapegrad
