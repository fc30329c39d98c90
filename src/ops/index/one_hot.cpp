// y[..., c] = 1 where c is the index, else 0. Piecewise constant: no gradient.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor one_hot(const Tensor& indices, int64_t num_classes, TensorOptions options) {
  if (num_classes < 1) fail<ValueError>("one_hot", "num_classes must be at least 1, got {}", num_classes);
  compute::check_indices("one_hot", indices, num_classes);
  Tensor y = compute::one_hot(indices, num_classes, options.dtype);
  y.set_requires_grad(options.requires_grad);
  return record_nondifferentiable("one_hot", y, {indices},
                                  {{"num_classes", num_classes}, {"dtype", to_string(y.dtype())}});
}

}  // namespace tapegrad
