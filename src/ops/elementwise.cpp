#include "ops/elementwise.h"

namespace tapegrad {

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    fail<DtypeError>(op, "both must have one dtype, got {} and {}. Hint: convert one with x.to({})",
                     a.dtype(), b.dtype(), a.dtype());
}

Shape detail::broadcast_strides(const Tensor& x, const Shape& shape) {
  Shape strides = shape;
  const int64_t lead = shape.size() - x.dim();
  for (int64_t i = 0; i < shape.size(); ++i)
    strides[i] = i < lead || (x.shape()[i - lead] == 1 && shape[i] != 1) ? 0 : x.strides()[i - lead];
  return strides;
}

}  // namespace tapegrad
