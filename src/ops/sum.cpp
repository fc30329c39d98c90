// y = sum of x over some axes.
//   dx = dy, expanded along them: every element adds to the sum with weight one
// Nothing is saved but the shape.
#include "autograd/state.h"
#include "ops/elementwise.h"
#include "ops/reduction.h"

namespace tapegrad {

Tensor sum(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const Reduction over("sum", x.shape(), axes);
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(options.keepdim), x.dtype());
  detail::dispatch_float("sum", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for (int64_t o = 0; o < over.outer; ++o)
      for (int64_t i = 0; i < over.inner; ++i) {
        double total = 0;
        for (int64_t k = 0; k < over.n; ++k) total += double(in[(o * over.n + k) * over.inner + i]);
        out[o * over.inner + i] = T(total);
      }
  });
  return record("sum", y, {x}, [over](const Tensor& dy) -> Gradients {
    return {dy.reshape(over.kept_shape()).expand(over.input_shape())};
  });
}

Tensor detail::sum_to_shape(const Tensor& gradient, const Shape& shape) {
  Shape axes;
  const int64_t lead = gradient.dim() - shape.size();
  for (int64_t i = 0; i < gradient.dim(); ++i)
    if (i < lead || (shape[i - lead] == 1 && gradient.shape()[i] != 1)) axes.push_back(i);
  const Tensor kept = axes.empty() ? gradient : sum(gradient, Axes(axes), {.keepdim = true});
  return kept.reshape(shape);
}

}  // namespace tapegrad
