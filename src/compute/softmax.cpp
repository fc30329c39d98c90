#include <algorithm>

#include "compute/arrays.h"
#include "compute/fused.h"
#include "kernels/softmax.h"

namespace tapegrad::compute {

namespace {

constexpr int64_t kGrain = 8192;  // elements of a chunk of rows

// x contiguous, with an axis and the last one in each other's place.
Tensor swapped(const Tensor& x, int64_t axis) {
  const int64_t last = x.dim() - 1;
  return detail::plain(axis == last ? x : transpose(x, axis, last));
}

// kernel(n, d, inputs, y) for the rows along an axis, n of d elements at a time.
template <class Kernel, class... Inputs>
Tensor along(const char* op, int64_t axis, Kernel kernel, const Inputs&... inputs) {
  const auto run = [&](const auto& first, const auto&... others) {
    const Tensor y = detail::new_tensor(first.shape(), first.dtype());
    detail::dispatch_float(op, y.dtype(), [&]<class T>(T) {
      if (y.numel() == 0) return;
      const int64_t d = y.shape().back();
      parallel_rows(y.numel() / d, kGrain / d, [&](int64_t begin, int64_t end) {
        const int64_t at = begin * d;
        kernel(end - begin, d, detail::ptr<T>(first) + at, (detail::ptr<T>(others) + at)...,
               detail::mutable_ptr<T>(y) + at);
      });
    });
    return swapped(y, axis);
  };
  return run(swapped(inputs, axis)...);
}

}  // namespace

Tensor Softmax::forward(const Tensors& in, Tensors* kept) const {
  const auto kernel = [log = log](auto... x) { log ? kernels::log_softmax(x...) : kernels::softmax(x...); };
  const Tensor y = along(log ? "log_softmax" : "softmax", axis, kernel, in[0]);
  if (kept) kept->push_back(y);
  return y;
}

Gradients Softmax::backward(const Tensors& dy, const Tensors&, const Tensors& kept, Needs) const {
  const auto kernel = [log = log](auto... x) {
    log ? kernels::log_softmax_backward(x...) : kernels::softmax_backward(x...);
  };
  return {along("softmax", axis, kernel, dy[0], kept[0])};
}

Tensor logsumexp(const Tensor& x, const Reduction& over) {
  const Tensor from = over.arrange_rows(x), y = detail::new_tensor(over.result_shape(), float64);
  detail::dispatch_float("logsumexp", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    double* out = detail::mutable_ptr<double>(y);
    const int64_t d = over.n;
    parallel_rows(over.results(), kGrain / d, [=](int64_t begin, int64_t end) {
      kernels::logsumexp(end - begin, d, in + begin * d, out + begin);
    });
  });
  return y;
}

}  // namespace tapegrad::compute
