#include "compute/elementwise.h"
#include "compute/fused.h"

namespace tapegrad::compute {

namespace {

// f(row, first, last) for each row and its n elements, as arrange_rows() lays them out.
template <class F>
void for_rows(const Reduction& over, F f) {
  parallel_rows(over.results(), kernels::fold_rows(over.n), [=, n = over.n](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) f(row, row * n, row * n + n);
  });
}

}  // namespace

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
    for_rows(over, [=](int64_t row, int64_t first, int64_t last) {
      double product = double(g[row]);
      for (int64_t k = first; k < last; product *= double(x[k++])) before[k] = product;
      product = 1;
      for (int64_t k = last; k-- > first; product *= double(x[k])) out[k] = T(before[k] * product);
    });
  });
  return {over.restore_rows(dx)};
}

Tensor CumProd::forward(const Tensors& in, Tensors*) const {
  const Tensor from = over.arrange_rows(in[0]), y = detail::new_tensor(from.shape(), from.dtype());
  detail::dispatch_float("cumprod", y.dtype(), [&]<class T>(T) {
    const T* x = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for_rows(over, [=](int64_t, int64_t first, int64_t last) {
      double product = 1;
      for (int64_t k = first; k < last; ++k) out[k] = T(product *= double(x[k]));
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
    for_rows(over, [=](int64_t, int64_t first, int64_t last) {
      double product = 1, sum = 0;
      for (int64_t k = first; k < last; product *= double(x[k++])) before[k] = product;
      for (int64_t k = last; k-- > first; sum *= double(x[k])) out[k] = T(before[k] * (sum += double(g[k])));
    });
  });
  return {over.restore_rows(dx)};
}

}  // namespace tapegrad::compute
