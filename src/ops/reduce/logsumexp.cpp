// y = ln sum exp(x) over some axes.
//   dx = dy exp(x - y)
// because dy/dx_i = exp(x_i) / sum exp(x). x and y are saved. The largest element is taken out of the sum, so
// that no finite x overflows; the sum is in float64.
#include <algorithm>
#include <limits>

#include "compute/reduction.h"
#include "kernels/softmax.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor logsumexp(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const compute::Reduction over("logsumexp", x.shape(), axes);
  const Shape shape = over.result_shape(options.keepdim);
  if (over.n == 0) return sum(x, axes, options) - std::numeric_limits<double>::infinity();
  const Tensor from = over.arrange_rows(x), lse = detail::new_tensor(shape, float64);
  detail::dispatch_float("logsumexp", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    double* out = detail::mutable_ptr<double>(lse);
    parallel_rows(over.results(), std::max<int64_t>(1, 8192 / over.n),
                  [=, n = over.n](int64_t begin, int64_t end) {
                    kernels::logsumexp(end - begin, n, in + begin * n, out + begin);
                  });
  });
  const Tensor y = lse.to(x.dtype());
  return record("logsumexp", y, {x}, [over, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
    return {exp(x - y.get().reshape(over.kept_shape())) * dy.reshape(over.kept_shape())};
  });
}

}  // namespace tapegrad
