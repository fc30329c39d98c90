// The operations that the loop backward itself needs, recorded when the backward pass is. They stand here
// and not among the operations, so that the tape can be linked without these.
#include <tapegrad/record.h>

#include "autograd/state.h"
#include "compute/arrays.h"
#include "compute/reduction.h"

namespace tapegrad::detail {

Tensor sum_of(const Tensor& a, const Tensor& b) {
  return record("add", compute::add(a, b), {a, b}, [](const Tensor& dy) -> Gradients { return {dy, dy}; });
}

Tensor alias_of(const Tensor& x) {
  return record("alias", x.detach(), {x}, [](const Tensor& dy) -> Gradients { return {dy}; });
}

namespace {
// y = x repeated to `shape`;  dx = dy, which the tape sums over the repetitions.
Tensor expand_to(const Tensor& x, const Shape& shape) {
  return record("expand", compute::broadcast_to(x, shape), {x}, [](const Tensor& dy) -> Gradients { return {dy}; });
}
}  // namespace

Tensor sum_to_shape(const Tensor& gradient, const Shape& shape) {
  return record("sum", compute::sum_to(gradient, shape), {gradient},
                [from = gradient.shape()](const Tensor& dy) -> Gradients { return {expand_to(dy, from)}; });
}

}  // namespace tapegrad::detail
