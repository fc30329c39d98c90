#include "compute/elementwise.h"
#include "compute/fused.h"

namespace tapegrad::compute {

Tensor CumProd::forward(const Tensors& in, Tensors*) const {
  const Tensor from = over.arrange_rows(in[0]), y = detail::new_tensor(from.shape(), from.dtype());
  detail::dispatch_float("cumprod", y.dtype(), [&]<class T>(T) {
    const T* x = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    const int64_t n = over.n;
    parallel_rows(over.results(), kernels::fold_rows(n), [=](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        double product = 1;
        for (int64_t k = row * n; k < (row + 1) * n; ++k) out[k] = T(product *= double(x[k]));
      }
    });
  });
  return detail::plain(over.restore_rows(y));
}

Gradients CumProd::backward(const Tensors& dy, const Tensors& in, const Tensors&, Needs) const {
  const Tensor from = over.arrange_rows(in[0]), weight = over.arrange_rows(dy[0]);
  const Tensor dx = detail::new_tensor(from.shape(), from.dtype());
  const Tensor front = detail::new_tensor(from.shape(), float64);
  detail::dispatch_float("cumprod", dx.dtype(), [&]<class T>(T) {
    const T *x = detail::ptr<T>(from), *g = detail::ptr<T>(weight);
    double* before = detail::mutable_ptr<double>(front);
    T* out = detail::mutable_ptr<T>(dx);
    const int64_t n = over.n;
    parallel_rows(over.results(), kernels::fold_rows(n), [=](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        double product = 1, sum = 0;
        for (int64_t k = row * n; k < (row + 1) * n; product *= double(x[k++])) before[k] = product;
        for (int64_t k = (row + 1) * n; k-- > row * n; sum *= double(x[k]))
          out[k] = T(before[k] * (sum += double(g[k])));
      }
    });
  });
  return {over.restore_rows(dx)};
}

}  // namespace tapegrad::compute
