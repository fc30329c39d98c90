// y = x W^T + bias, with all axes of x but the last folded into N rows: y[n][o] = sum over i of x[n][i]
// W[o][i].
//   dx = dy W    dW = dy^T x    dbias[o] = sum over n of dy[n][o]
// x and W are saved. One product each, and each only where it is needed. The bias costs no pass of its own: y
// begins as rows of it, and the product is added on top (beta = 1).
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/linalg/product.h"

namespace tapegrad {

namespace {

void check(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 2)
    fail<ShapeError>("linear", "weight must be [out_features, in_features], got {}", weight.shape());
  const int64_t out = weight.shape()[0], in = weight.shape()[1];
  if (x.dim() == 0 || x.shape().back() != in)
    fail<ShapeError>("linear", "input must end in in_features {} of weight {}, got input {}", in,
                     weight.shape(), x.shape());
  check_same_dtype("linear", x, weight);
  if (!is_floating(x.dtype())) detail::fail_not_floating("linear", x.dtype());
  if (!bias.defined()) return;
  if (bias.shape() != Shape{out})
    fail<ShapeError>("linear", "bias must be [{}] for weight {}, got {}", out, weight.shape(), bias.shape());
  check_same_dtype("linear", weight, bias);
}

// All axes but the last as one.
Tensor rows_of(const Tensor& x, int64_t size) {
  Shape lead = x.shape();
  lead[x.dim() - 1] = 1;
  return x.dim() == 2 ? x : x.reshape({lead.numel(), size});
}

void fill_rows(const Tensor& y, const Tensor& bias) {
  const Tensor from = bias.detach().contiguous();
  const int64_t size = from.numel();
  detail::dispatch_float("linear", y.dtype(), [&]<class T>(T) {
    T* to = detail::mutable_ptr<T>(y);
    for (int64_t at = 0; at < y.numel(); at += size) std::copy_n(detail::ptr<T>(from), size, to + at);
  });
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x, weight, bias);
  if (reference_mode()) {
    const Tensor y = matmul(x, weight.transpose(0, 1));
    return bias.defined() ? y + bias : y;
  }
  const int64_t out = weight.shape()[0], in = weight.shape()[1];
  const Tensor rows = rows_of(x.detach(), in);
  Tensor y = detail::new_tensor({rows.shape()[0], out}, x.dtype());
  if (bias.defined()) fill_rows(y, bias);
  multiply("linear", rows, weight.detach().transpose(0, 1), bias.defined() ? 1 : 0, y);
  if (x.dim() != 2) {
    Shape shape = x.shape();
    shape[x.dim() - 1] = out;
    y = y.reshape(shape);
  }
  return record("linear", y, {x, weight, bias},
                [x = Saved(x), weight = Saved(weight)](const Tensor& dy, Needs needs) -> Gradients {
                  const int64_t out = weight.get().shape()[0], in = weight.get().shape()[1];
                  const Tensor rows = rows_of(dy, out);
                  Gradients dx;
                  dx.resize(3);
                  if (needs[0]) dx[0] = matmul(rows, weight).reshape(x.get().shape());
                  if (needs[1]) dx[1] = matmul(rows.transpose(0, 1), rows_of(x, in));
                  if (needs[2]) dx[2] = sum(rows, 0);
                  return dx;
                });
}

}  // namespace tapegrad
