// y = (sum |x|^p)^(1/p) over some axes.
//   p = 2   dx = dy x / y, and 0 where y is 0 (a subgradient there)
//   p = 1   the sum of |x|, p = infinity the largest: composed, so an element of 0 gets the gradient 0
// For p = 2 the squares are added up in float64, so elements of 1e20 do not overflow float32. x and y are
// saved. A norm of float64 values beyond 1e154 is infinite.
#include <algorithm>
#include <cmath>

#include "kernels/loops/reduce.h"
#include "ops/elementwise.h"
#include "ops/reduce/reduction.h"

namespace tapegrad {

namespace {

Tensor euclidean(const Tensor& x, const Axes& axes, bool keepdim) {
  const Reduction over("norm", x.shape(), axes);
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(keepdim), x.dtype());
  detail::dispatch_float("norm", x.dtype(), [&]<class T>(T) {
    T* out = detail::mutable_ptr<T>(y);
    if (over.inner == 1) {
      const T* in = detail::ptr<T>(from);
      const int64_t n = over.n, grain = std::max<int64_t>(1, kernels::fold_grain / std::max<int64_t>(n, 1));
      return parallel_rows(over.outer, grain, [=](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; ++at)
          out[at] = T(std::sqrt(kernels::sum_of_squares(n, in + at * n)));
      });
    }
    fold<double, T>(
        over, from, [](int64_t) { return 0.0; },
        [](double& total, T value, int64_t) { total += double(value) * double(value); },
        [=](int64_t at, double total) { out[at] = T(std::sqrt(total)); });
  });
  return record("norm", y, {x}, [over, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
    return {x * divide_or_zero(dy, y).reshape(over.kept_shape())};
  });
}

}  // namespace

Tensor norm(const Tensor& x, const Axes& axes, VectorNormOptions options) {
  const double p = options.p;
  if (p == 2) return euclidean(x, axes, options.keepdim);
  if (p == 1) return sum(abs(x), axes, {.keepdim = options.keepdim});
  if (std::isinf(p)) return amax(abs(x), axes, {.keepdim = options.keepdim});
  fail<ValueError>("norm", "p must be 1, 2 or infinity, got {}", p);
}

}  // namespace tapegrad
