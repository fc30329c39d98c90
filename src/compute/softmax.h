// Softmax and its relatives; the sums are in float64. Formulas and gradients stand in ops/reduce.
#pragma once
#include <tapegrad/gradients.h>

#include "compute/reduction.h"

namespace tapegrad::compute {

/// A kernel of fused(). in: x. kept: y.
struct Softmax {
  int64_t axis;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// A kernel of fused(). in: x. kept: y.
struct LogSoftmax {
  int64_t axis;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

/// ln sum exp(x) over the reduced axes, of which there is an element, in float64.
Tensor logsumexp(const Tensor& x, const Reduction& over, bool keepdim);

}  // namespace tapegrad::compute
