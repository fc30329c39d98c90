#include <algorithm>
#include <numeric>

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

// How many rows make a chunk of work.
int64_t rows_of_chunk(int64_t classes) { return 32768 / std::max<int64_t>(classes, 1); }

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
    parallel_rows(over.results(), kGrain / d,
                  [=](int64_t begin, int64_t end) { kernels::logsumexp(end - begin, d, in + begin * d, out + begin); });
  });
  return y;
}

Tensor CrossEntropy::forward(const Tensors& in, Tensors* kept) const {
  const Tensor from = detail::plain(in[0]);
  const int64_t rows = from.size(0), classes = from.size(1);
  const Tensor losses = detail::new_tensor({rows}, float64), log_sum = detail::new_tensor({rows}, float64);
  double *loss = detail::mutable_ptr<double>(losses), *sums = detail::mutable_ptr<double>(log_sum);
  detail::dispatch_float("cross_entropy", from.dtype(), [&]<class T>(T) {
    const T* z = detail::ptr<T>(from);
    const int64_t* label = detail::ptr<int64_t>(in[1]);
    parallel_rows(rows, rows_of_chunk(classes), [=, ignored = ignore_index](int64_t begin, int64_t end) {
      kernels::cross_entropy(end - begin, classes, z + begin * classes, label + begin, ignored, loss + begin,
                             sums + begin);
    });
  });
  if (kept) kept->push_back(log_sum);
  if (!summed) return convert(losses, from.dtype());
  const double total = std::accumulate(loss, loss + rows, 0.0);
  return full({}, rows > 0 ? total * scale : 0.0, {.dtype = from.dtype()});
}

Gradients CrossEntropy::backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs) const {
  const Tensor from = detail::plain(in[0]), from_dy = detail::plain(dy[0]);
  const int64_t rows = from.size(0), classes = from.size(1);
  const bool one = from_dy.numel() == 1;
  Tensor dx = detail::new_tensor(from.shape(), from.dtype());
  detail::dispatch_float("cross_entropy", from.dtype(), [&]<class T>(T) {
    const T *z = detail::ptr<T>(from), *g = detail::ptr<T>(from_dy);
    const int64_t* label = detail::ptr<int64_t>(in[1]);
    const double* sums = detail::ptr<double>(kept[0]);
    T* out = detail::mutable_ptr<T>(dx);
    parallel_rows(rows, rows_of_chunk(classes), [=, this](int64_t begin, int64_t end) {
      const int64_t step = one ? end - begin : 1;
      for (int64_t i = begin; i < end; i += step)
        kernels::cross_entropy_backward(step, classes, z + i * classes, label + i, ignore_index, sums + i,
                                        scale * double(g[one ? 0 : i]), out + i * classes);
    });
  });
  return {dx, Tensor()};
}

}  // namespace tapegrad::compute
