// y[..., c] = 1 where c is the index, else 0. Piecewise constant: no gradient.
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/index/index_check.h"

namespace tapegrad {

Tensor one_hot(const Tensor& indices, int64_t num_classes, TensorOptions options) {
  if (num_classes < 1) fail<ValueError>("one_hot", "num_classes must be at least 1, got {}", num_classes);
  check_indices("one_hot", indices, num_classes);
  const Tensor from = indices.contiguous();
  Shape shape = indices.shape();
  shape.push_back(num_classes);
  Tensor y = zeros(shape, options);
  detail::dispatch_all(y.dtype(), [&]<class T>(T) {
    for (int64_t i = 0; i < from.numel(); ++i)
      detail::mutable_ptr<T>(y)[i * num_classes + detail::ptr<int64_t>(from)[i]] = T(1);
  });
  return record_nondifferentiable("one_hot", y, {indices}, {{"num_classes", num_classes}});
}

}  // namespace tapegrad
