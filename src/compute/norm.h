// Layer and RMS normalization of rows of d elements: kernels of fused(). What they compute, and its gradient, stands in
// ops/norm/layer_norm.cpp and ops/norm/rms_norm.cpp.
#pragma once
#include <tapegrad/gradients.h>

namespace tapegrad::compute {

/// in: x, weight, bias; the last two may be undefined. kept: mu and rstd of each row, in float64.
struct LayerNorm {
  int64_t d;
  double eps;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// in: x, and weight, which may be undefined. kept: rstd of each row, in float64.
struct RmsNorm {
  int64_t d;
  double eps;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

}  // namespace tapegrad::compute
