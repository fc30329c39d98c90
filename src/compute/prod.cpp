#include <algorithm>

#include "compute/fused.h"
#include "system/parallel.h"

namespace tapegrad::compute {

Tensor Prod::forward(const Tensors& in, Tensors*) const {
  return reduce("prod", in[0], over, [&]<class T>(const T* x, T* y) {
    kernels::fold<double>(
        over.outer, over.n, over.inner, x, [](int64_t) { return 1.0; },
        [](double& product, T value, int64_t) { product *= double(value); },
        [=](int64_t at, double product) { y[at] = T(product); });
  });
}

// One pass from the front leaves dy times the elements before each one, in float64: rounded to float32 it could over- or
// underflow where the gradient does not. One from the back multiplies by those after it.
Gradients Prod::backward(const Tensors& dy, const Tensors& in, const Tensors&, Needs) const {
  const Tensor from = over.arrange_rows(in[0]), weight = detail::plain(dy[0]);
  const Tensor dx = detail::new_tensor(from.shape(), from.dtype());
  const Tensor front = detail::new_tensor(from.shape(), float64);
  detail::dispatch_float("prod", dx.dtype(), [&]<class T>(T) {
    const T *x = detail::ptr<T>(from), *g = detail::ptr<T>(weight);
    double* before = detail::mutable_ptr<double>(front);
    T* out = detail::mutable_ptr<T>(dx);
    const int64_t n = over.n;
    parallel_rows(over.results(), kernels::fold_rows(n), [=](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        double product = double(g[row]);
        for (int64_t k = row * n; k < (row + 1) * n; product *= double(x[k++])) before[k] = product;
        product = 1;
        for (int64_t k = (row + 1) * n; k-- > row * n; product *= double(x[k]))
          out[k] = T(before[k] * product);
      }
    });
  });
  return {over.restore_rows(dx)};
}

}  // namespace tapegrad::compute
