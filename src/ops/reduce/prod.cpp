// y = product of x over some axes.
//   dx_i = dy * product of the others
// which is not y / x_i where x_i is 0. One pass from the front leaves the product of the elements before i,
// one from the back multiplies by that of the elements after it. x is saved.
//
// The composed form multiplies halves of the axis until one element is left: products only, so that second
// derivatives are right at zero too.
#include <algorithm>

#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor prod_composed(const Tensor& x, const compute::Reduction& over) {
  Tensor y = x.permute(over.order()).reshape({over.results(), over.n});
  if (over.n == 0) return sum(y, 1) + 1.0;  // 1, and recorded
  for (int64_t n = over.n; n > 1; n = (n + 1) / 2) {
    const Tensor product = narrow(y, 1, 0, n / 2) * narrow(y, 1, n / 2, n / 2);
    y = n % 2 ? concat({product, narrow(y, 1, n - 1, 1)}, 1) : product;
  }
  return y;
}

Tensor prod_backward(const Tensor& dy, const Tensor& x, const compute::Reduction& over) {
  const Tensor from = over.arrange_rows(x), weight = dy.detach().contiguous();
  Tensor dx = detail::new_tensor(from.shape(), x.dtype());
  detail::dispatch_float("prod", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    const T* d = detail::ptr<T>(weight);
    T* out = detail::mutable_ptr<T>(dx);
    const int64_t n = over.n;
    parallel_rows(over.results(), std::max<int64_t>(1, kernels::fold_grain / std::max<int64_t>(n, 1)),
                  [=](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) {
                      double before = double(d[row]), after = 1;
                      for (int64_t k = row * n; k < (row + 1) * n; before *= double(in[k++]))
                        out[k] = T(before);
                      for (int64_t k = (row + 1) * n; k-- > row * n; after *= double(in[k]))
                        out[k] = T(double(out[k]) * after);
                    }
                  });
  });
  return over.restore_rows(dx);
}

}  // namespace

Tensor prod(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("prod", x.shape(), axes);
  const Shape shape = over.result_shape(options.keepdim);
  if (reference_mode()) return prod_composed(x, over).reshape(shape);
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(shape, x.dtype());
  detail::dispatch_float("prod", x.dtype(), [&]<class T>(T) {
    T* out = detail::mutable_ptr<T>(y);
    fold<double, T>(
        over, from, [](int64_t) { return 1.0; },
        [](double& product, T value, int64_t) { product *= double(value); },
        [=](int64_t at, double product) { out[at] = T(product); });
  });
  return record("prod", y, {x}, [over, x = Saved(x)](const Tensor& dy) -> Gradients {
    if (is_recording())
      return replay(
          [over, shape = dy.shape()](const Gradients& in) -> Gradients {
            return {prod_composed(in[0], over).reshape(shape)};
          },
          {x}, {dy});
    return {prod_backward(dy, x, over)};
  });
}

}  // namespace tapegrad
