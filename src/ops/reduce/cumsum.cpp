// y_i = x_0 + ... + x_i along one axis.
//   dx_i = dy_i + ... + dy_last
// the sum from the other end: x_i is in every y from i on. Nothing is saved. float32 is added up in float64.
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/reduce/reduction.h"

namespace tapegrad {

namespace {

Tensor running_sum(const Tensor& x, int64_t axis, bool from_end) {
  const Tensor from = x.detach().contiguous();
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  const Reduction over("cumsum", x.shape(), axis);
  detail::dispatch_float("cumsum", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    // Blocks of columns go row by row, so that memory is read in its order.
    const int64_t n = over.n, inner = over.inner, width = kernels::fold_columns;
    const int64_t blocks = (inner + width - 1) / width;
    const int64_t work = std::max<int64_t>(n * std::min(inner, width), 1);
    parallel_rows(over.outer * blocks, std::max<int64_t>(1, kernels::fold_grain / work),
                  [=](int64_t begin, int64_t end) {
                    for (int64_t task = begin; task < end; ++task) {
                      const int64_t column = task % blocks * width, count = std::min(width, inner - column);
                      const int64_t first = task / blocks * n * inner + column;
                      double total[kernels::fold_columns] = {};
                      for (int64_t k = 0; k < n; ++k) {
                        const int64_t at = first + (from_end ? n - 1 - k : k) * inner;
                        for (int64_t i = 0; i < count; ++i) out[at + i] = T(total[i] += double(in[at + i]));
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
