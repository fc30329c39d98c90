#include "compute/softmax.h"

#include <algorithm>

#include "compute/copy.h"
#include "kernels/softmax.h"
#include "system/parallel.h"

namespace tapegrad::compute {

namespace {

constexpr int64_t kGrain = 8192;  // elements of a chunk of work

// f(rows, d, first element) for chunks of n rows of d elements.
template <class F>
void for_rows(int64_t n, int64_t d, F f) {
  if (n * d == 0) return;
  parallel_rows(n, std::max<int64_t>(1, kGrain / d),
                [=](int64_t begin, int64_t end) { f(end - begin, d, begin * d); });
}

// x contiguous, with an axis and the last one in each other's place.
Tensor swapped(const Tensor& x, int64_t axis) {
  const int64_t last = x.dim() - 1;
  return detail::plain(axis == last ? x : transpose(x, axis, last));
}

template <class Kernel>
Tensor forward_rows(const char* op, const Tensor& x, int64_t axis, Tensors* kept, Kernel kernel) {
  const Tensor from = swapped(x, axis);
  const Tensor rows = detail::new_tensor(from.shape(), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(rows);
    const int64_t d = rows.shape().back();
    for_rows(d ? rows.numel() / d : 0, d,
             [=](int64_t n, int64_t d, int64_t at) { kernel(n, d, in + at, out + at); });
  });
  const Tensor y = axis == x.dim() - 1 ? rows : swapped(rows, axis);
  if (kept) kept->push_back(y);
  return y;
}

template <class Kernel>
Tensor backward_rows(const char* op, const Tensor& dy, const Tensor& y, int64_t axis, Kernel kernel) {
  const Tensor from = swapped(y, axis), weight = swapped(dy, axis);
  const Tensor dx = detail::new_tensor(from.shape(), y.dtype());
  detail::dispatch_float(op, y.dtype(), [&]<class T>(T) {
    const T *in = detail::ptr<T>(from), *g = detail::ptr<T>(weight);
    T* out = detail::mutable_ptr<T>(dx);
    const int64_t d = dx.shape().back();
    for_rows(d ? dx.numel() / d : 0, d,
             [=](int64_t n, int64_t d, int64_t at) { kernel(n, d, g + at, in + at, out + at); });
  });
  return axis == y.dim() - 1 ? dx : swapped(dx, axis);
}

}  // namespace

Tensor Softmax::forward(const Tensors& in, Tensors* kept) const {
  return forward_rows("softmax", in[0], axis, kept,
                      [](int64_t n, int64_t d, const auto* x, auto* y) { kernels::softmax(n, d, x, y); });
}

Gradients Softmax::backward(const Tensors& dy, const Tensors&, const Tensors& kept, Needs) const {
  return {backward_rows("softmax", dy[0], kept[0], axis,
                        [](int64_t n, int64_t d, const auto* dy, const auto* y, auto* dx) {
                          kernels::softmax_backward(n, d, dy, y, dx);
                        })};
}

Tensor LogSoftmax::forward(const Tensors& in, Tensors* kept) const {
  return forward_rows("log_softmax", in[0], axis, kept,
                      [](int64_t n, int64_t d, const auto* x, auto* y) { kernels::log_softmax(n, d, x, y); });
}

Gradients LogSoftmax::backward(const Tensors& dy, const Tensors&, const Tensors& kept, Needs) const {
  return {backward_rows("log_softmax", dy[0], kept[0], axis,
                        [](int64_t n, int64_t d, const auto* dy, const auto* y, auto* dx) {
                          kernels::log_softmax_backward(n, d, dy, y, dx);
                        })};
}

Tensor logsumexp(const Tensor& x, const Reduction& over, bool keepdim) {
  const Tensor from = over.arrange_rows(x), y = detail::new_tensor(over.result_shape(keepdim), float64);
  detail::dispatch_float("logsumexp", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    double* out = detail::mutable_ptr<double>(y);
    for_rows(over.results(), over.n,
             [=](int64_t n, int64_t d, int64_t at) { kernels::logsumexp(n, d, in + at, out + at / d); });
  });
  return y;
}

}  // namespace tapegrad::compute
