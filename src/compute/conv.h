// The three products of a convolution, and pooling. What they compute, and why the products are each other's gradients,
// stands in src/ops/conv.
#pragma once
#include <tapegrad/gradients.h>

#include "kernels/conv/conv.h"

namespace tapegrad::compute {

using kernels::Window;

/// A convolution of images [N, C, h.in, w.in] to [N, O, h.out, w.out], by weight [O, C / groups, h.kernel, w.kernel].
struct Conv {
  Window h, w;
  int64_t groups;

  /// y from x: each output is the sum of its window times the weight, and the bias [O], which may be undefined.
  Tensor forward(const Tensor& x, const Tensor& weight, const Tensor& bias) const;
  /// What y is made of goes back to where it came from: dx from dy, and what a transposed convolution gives, whose bias
  /// is [C].
  Tensor transposed(const Tensor& y, const Tensor& weight, const Tensor& bias) const;
  /// dweight from x and dy.
  Tensor weight_gradient(const Tensor& x, const Tensor& dy) const;
};

/// The kernel of fused() for max_pool2d. in: x. kept: the place of each window's largest element (kernels/conv/conv.h).
struct MaxPool {
  Window h, w;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

}  // namespace tapegrad::compute
