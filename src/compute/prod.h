// The product of elements: a kernel of fused().
#pragma once
#include <tapegrad/gradients.h>

#include "compute/reduction.h"

namespace tapegrad::compute {

/// in: x. kept: nothing.
struct Prod {
  Reduction over;
  bool keepdim;
  Tensor forward(const Tensors& in, Tensors* kept) const;
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

}  // namespace tapegrad::compute
