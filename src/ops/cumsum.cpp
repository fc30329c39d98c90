// y_i = x_0 + ... + x_i along one axis.
//   dx_i = dy_i + ... + dy_last
// the sum from the other end: x_i is in every y from i on. Nothing is saved. float32 is added up in float64.
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/reduction.h"

namespace tapegrad {

namespace {

Tensor running_sum(const Tensor& x, int64_t axis, bool from_end) {
  const Tensor from = x.detach().contiguous();
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  const Reduction over("cumsum", x.shape(), axis);
  detail::dispatch_float("cumsum", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    const int64_t n = over.n, inner = over.inner;
    parallel_rows(over.results(), std::max<int64_t>(1, kernels::fold_grain / std::max<int64_t>(n, 1)),
                  [=](int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) {
                      const int64_t first = row / inner * n * inner + row % inner;
                      double total = 0;
                      for (int64_t k = 0; k < n; ++k) {
                        const int64_t at = first + (from_end ? n - 1 - k : k) * inner;
                        out[at] = T(total += double(in[at]));
                      }
                    }
                  });
  });
  return record("cumsum", y, {x}, [axis, from_end](const Tensor& dy) -> Gradients {
    return {running_sum(dy, axis, !from_end)};
  });
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t axis) {
  return running_sum(x, wrap_axis("cumsum", axis, x.dim()), false);
}

}  // namespace tapegrad
