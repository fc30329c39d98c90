#include <tapegrad/functional.h>

#include "autograd/state.h"
#include "compute/arrays.h"
#include "core/fail.h"

namespace tapegrad {

Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
  Tape tape;
  const Tensor input = detail::alias_of(x.detach().set_requires_grad()), y = f(input);
  const int64_t rows = y.numel(), columns = x.numel();
  const Tensor j = zeros({rows, columns}, {.dtype = x.dtype()});
  for (int64_t i = 0; y.is_recorded() && i < rows; ++i) {
    const Tensor one = zeros({rows}, {.dtype = y.dtype()});
    detail::fill("jacobian", detail::new_view(one, {1}, {1}, i), 1);
    const Tensor seed = detail::new_view(one, y.shape(), contiguous_strides(y.shape()), 0);
    const Tensor dx = tape.gradient(y, {input}, {.gradient = seed, .retain_graph = true})[0];
    Tensor row = detail::new_view(j, x.shape(), contiguous_strides(x.shape()), i * columns);
    compute::accumulate(row, dx);
  }
  Shape shape = y.shape();
  for (const int64_t size : x.shape()) shape.push_back(size);
  return detail::new_view(j, shape, contiguous_strides(shape), 0);
}

std::pair<Tensor, Tensor> hvp(const std::function<Tensor(const Tensor&)>& f, const Tensor& x, const Tensor& v) {
  if (v.shape() != x.shape()) fail<ShapeError>("hvp", "v must have x's shape {}, got {}", x.shape(), v.shape());
  if (v.dtype() != x.dtype()) fail<DtypeError>("hvp", "v must have x's dtype {}, got {}", x.dtype(), v.dtype());
  Tape tape;
  const Tensor input = detail::alias_of(x.detach().set_requires_grad()), y = f(input);
  if (!y.is_recorded()) return {y.detach(), zeros_like(x)};
  const Tensor slope = tape.gradient(y, {input}, {.create_graph = true})[0];
  if (!slope.is_recorded()) return {y.detach(), zeros_like(x)};
  return {y.detach(), tape.gradient(slope, {input}, {.gradient = v.detach()})[0]};
}

}  // namespace tapegrad
