// Cross-entropy of logits with labels: a kernel of fused(). What it computes, and its gradient, stands in
// ops/loss/cross_entropy.cpp.
#pragma once
#include <tapegrad/gradients.h>

namespace tapegrad::compute {

/// in: logits [N, C]. kept: the labels, and lse - max of each row, in float64.
struct CrossEntropy {
  Tensor labels;  // [N], contiguous and checked
  int64_t ignore_index;
  bool summed;   // the result is the sum of all rows times `scale`; else one loss each, in `shape`
  double scale;  // 1 where it is not summed
  Shape shape;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

}  // namespace tapegrad::compute
