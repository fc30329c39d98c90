// y = x W^T + bias, with all axes of x but the last folded into N rows: y[n][o] = sum over i of x[n][i]
// W[o][i].
//   dx = dy W    dW = dy^T x    dbias[o] = sum over n of dy[n][o]
// x and W are saved. One product each, and each only where it is needed. The bias costs no pass of its own.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

void check(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 2)
    fail<ShapeError>("linear", "weight must be [out_features, in_features], got {}", weight.shape());
  const int64_t out = weight.shape()[0], in = weight.shape()[1];
  if (x.dim() == 0 || x.shape().back() != in) {
    int64_t first = x.dim(), trailing = 1;  // axes from `first` on that are `in` elements together
    while (first > 0 && (trailing != in || first == x.dim())) trailing *= x.shape()[--first];
    fail<ShapeError>("linear", "input must end in in_features {}, got input {}{}", in, x.shape(),
                     x.dim() > 0 && trailing == in ? fmt::format(". Hint: x.flatten({}) would fit", first) : "");
  }
  check_same_dtype("linear", x, weight);
  check_floating("linear", x);
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

// x and weight are kept, as what the derivative is made of.
struct Kernel {
  Tensor forward(const Tensors& in, Tensors* kept) const {
    const Tensor &x = in[0], &weight = in[1];
    if (kept) *kept = {x, weight};
    Shape shape = x.shape();
    shape[x.dim() - 1] = weight.shape()[0];
    const Tensor y = compute::linear(rows_of(x, weight.shape()[1]), weight, in[2]);
    return x.dim() == 2 ? y : y.reshape(shape);
  }
};

Tensor composed(const Tensors& in) {
  const Tensor y = matmul(in[0], in[1].transpose(0, 1));
  return in[2].defined() ? y + in[2] : y;
}

Gradients derivative(const Tensors& dy, const Tensors& kept, Needs needs) {
  const Tensor &x = kept[0], &weight = kept[1];
  const Tensor rows = rows_of(dy[0], weight.shape()[0]);
  Gradients dx;
  dx.resize(3);
  if (needs[0]) dx[0] = matmul(rows, weight).reshape(x.shape());
  if (needs[1]) dx[1] = matmul(rows.transpose(0, 1), rows_of(x, weight.shape()[1]));
  if (needs[2]) dx[2] = sum(rows, 0);
  return dx;
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check(x, weight, bias);
  return fused("linear", {x, weight, bias}, {}, composed, Kernel{}, derivative);
}

}  // namespace tapegrad
