// Tensors put together along one axis.
//   dx_i = the part of dy that x_i became: a view
// Only the sizes are saved. stack() is concat() of the same tensors with a new axis of size one.
#include "compute/copy.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

using Sizes = detail::SmallVector<int64_t, 8>;
using Pointers = detail::SmallVector<detail::TensorPointer, 8>;

void check_list(const char* op, TensorList tensors) {
  if (tensors.size() == 0) fail<ValueError>(op, "at least one tensor is needed");
  for (const Tensor& x : tensors) {
    if (!x.defined()) fail<ValueError>(op, "a tensor of the list is an empty handle");
    check_same_dtype(op, tensors[0], x);
  }
}

}  // namespace

Tensor concat(TensorList tensors, int64_t axis) {
  check_list("concat", tensors);
  const Tensor& first = tensors[0];
  const int64_t at = wrap_axis("concat", axis, first.dim());
  Shape shape = first.shape();
  int64_t total = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    bool fits = x.dim() == first.dim();
    for (int64_t k = 0; fits && k < x.dim(); ++k) fits = k == at || x.shape()[k] == shape[k];
    if (!fits)
      fail<ShapeError>("concat", "shapes must be the same but for axis {}, got {} and, at {}, {}", at,
                       first.shape(), i, x.shape());
    total += x.shape()[at];
  }
  shape[at] = total;
  Tensor y = empty(shape, {.dtype = first.dtype()});
  Sizes sizes;
  Pointers inputs;
  int64_t start = 0;
  for (const Tensor& x : tensors) {
    compute::put(x, at, y, start);
    start += x.shape()[at];
    sizes.push_back(x.shape()[at]);
    inputs.push_back(x);
  }
  return record("concat", y, inputs, [at, sizes](const Tensor& dy, Needs needs) -> Gradients {
    Gradients dx;
    dx.reserve(sizes.size());
    int64_t start = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      dx.push_back(needs[i] ? narrow(dy, at, start, sizes[i]) : Tensor());
      start += sizes[i];
    }
    return dx;
  });
}

Tensor stack(TensorList tensors, int64_t axis) {
  check_list("stack", tensors);
  const Tensor& first = tensors[0];
  const int64_t at = wrap_axis("stack", axis, first.dim() + 1);
  Shape shape = first.shape();
  shape.insert(at, int64_t(tensors.size()));
  Tensor y = empty(shape, {.dtype = first.dtype()});
  Pointers inputs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].shape() != first.shape())
      fail<ShapeError>("stack", "all must have one shape, got {} and, at {}, {}. Hint: concat() joins sizes",
                       first.shape(), i, tensors[i].shape());
    inputs.push_back(tensors[i]);
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    compute::put(tensors[i].detach().unsqueeze(at), at, y, int64_t(i));
  return record("stack", y, inputs, [at, n = tensors.size()](const Tensor& dy, Needs needs) -> Gradients {
    Gradients dx;
    dx.reserve(n);
    for (size_t i = 0; i < n; ++i) dx.push_back(needs[i] ? select(dy, at, int64_t(i)) : Tensor());
    return dx;
  });
}

}  // namespace tapegrad
