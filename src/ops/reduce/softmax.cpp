// softmax:      y = exp(x - lse),  log_softmax:  y = x - lse,  lse = ln sum exp(x) along one axis.
//   softmax       dx = y (dy - sum(dy y))      from dy_i/dx_j = y_i ([i = j] - y_j)
//   log_softmax   dx = dy - exp(y) sum(dy)
// Both save y, not x. The largest element is subtracted before exp, so that any finite row is safe; the sum
// is in float64. Another axis than the last is moved there by a copy.
#include <algorithm>

#include "kernels/softmax.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

constexpr int64_t kGrain = 8192;  // elements of a chunk of work

// f(rows, d, first element of the rows' y) for chunks of the rows of y.
template <class F>
void for_rows(const Tensor& y, F f) {
  const int64_t d = y.shape().back();
  if (y.numel() == 0) return;
  parallel_rows(y.numel() / d, std::max<int64_t>(1, kGrain / d),
                [=](int64_t begin, int64_t end) { f(end - begin, d, begin * d); });
}

Tensor axis_last(const Tensor& x, int64_t axis) {
  return axis == x.dim() - 1 ? x.detach().contiguous() : x.detach().transpose(axis, -1).contiguous();
}
Tensor axis_back(const Tensor& y, int64_t axis) {
  return axis == y.dim() - 1 ? y : y.transpose(axis, -1).contiguous();
}

template <class Kernel>
Tensor forward(const char* op, const Tensor& x, int64_t axis, Kernel kernel) {
  const Tensor from = axis_last(x, axis);
  Tensor y = detail::new_tensor(from.shape(), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for_rows(y, [=](int64_t rows, int64_t d, int64_t at) { kernel(rows, d, in + at, out + at); });
  });
  return axis_back(y, axis);
}

template <class Kernel>
Tensor backward(const char* op, const Tensor& dy, const Tensor& y, int64_t axis, Kernel kernel) {
  const Tensor from = axis_last(y, axis), weight = axis_last(dy, axis);
  Tensor dx = detail::new_tensor(from.shape(), y.dtype());
  detail::dispatch_float(op, y.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    const T* d_out = detail::ptr<T>(weight);
    T* out = detail::mutable_ptr<T>(dx);
    for_rows(dx,
             [=](int64_t rows, int64_t d, int64_t at) { kernel(rows, d, d_out + at, in + at, out + at); });
  });
  return axis_back(dx, axis);
}

Tensor softmax_composed(const Tensor& x, int64_t axis) {
  const Tensor e = exp(x - amax(x.detach(), axis, {.keepdim = true}));
  return e / sum(e, axis, {.keepdim = true});
}

Tensor log_softmax_composed(const Tensor& x, int64_t axis) {
  const Tensor shifted = x - amax(x.detach(), axis, {.keepdim = true});
  return shifted - log(sum(exp(shifted), axis, {.keepdim = true}));
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t axis) {
  const int64_t at = wrap_axis("softmax", axis, x.dim());
  if (reference_mode() && x.numel() > 0) return softmax_composed(x, at);
  const Tensor y = forward("softmax", x, at, [](int64_t rows, int64_t d, const auto* x, auto* y) {
    kernels::softmax(rows, d, x, y);
  });
  return record("softmax", y, {x}, [at, y = Saved(y)](const Tensor& dy) -> Gradients {
    if (is_recording()) return {y * (dy - sum(dy * y, at, {.keepdim = true}))};
    return {
        backward("softmax", dy, y, at, [](int64_t rows, int64_t d, const auto* dy, const auto* y, auto* dx) {
          kernels::softmax_backward(rows, d, dy, y, dx);
        })};
  });
}

Tensor log_softmax(const Tensor& x, int64_t axis) {
  const int64_t at = wrap_axis("log_softmax", axis, x.dim());
  if (reference_mode() && x.numel() > 0) return log_softmax_composed(x, at);
  const Tensor y = forward("log_softmax", x, at, [](int64_t rows, int64_t d, const auto* x, auto* y) {
    kernels::log_softmax(rows, d, x, y);
  });
  return record("log_softmax", y, {x}, [at, y = Saved(y)](const Tensor& dy) -> Gradients {
    if (is_recording()) return {dy - exp(y.get()) * sum(dy, at, {.keepdim = true})};
    return {backward("log_softmax", dy, y, at,
                     [](int64_t rows, int64_t d, const auto* dy, const auto* y, auto* dx) {
                       kernels::log_softmax_backward(rows, d, dy, y, dx);
                     })};
  });
}

}  // namespace tapegrad
