// y = x where x > 0, else w x, with one w for all or one for each channel.
//   dx = dy where x > 0, else w dy      dw = sum over the elements with x <= 0 of x dy
// Made of operations. What is multiplied by w is 0 where x > 0, so that an infinite x leaves dw alone.
// Source: He, Zhang, Ren, Sun 2015, "Delving deep into rectifiers", arXiv:1502.01852, equation 1.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

Tensor prelu(const Tensor& x, const Tensor& weight) {
  check_floating("prelu", x);
  check_same_dtype("prelu", x, weight);
  const int64_t channels = x.dim() > 1 ? x.shape()[1] : 1;
  if (weight.shape() != Shape{1} && weight.shape() != Shape{channels})
    fail<ShapeError>("prelu", "weight must be [1] or a number for each of the {} channels of x {}, got {}",
                     channels, x.shape(), weight.shape());
  Shape shape = x.shape();  // of the weight beside x
  std::fill(shape.begin(), shape.end(), 1);
  if (x.dim() > 1) shape[1] = weight.numel();
  const Tensor positive = x > 0;
  return where(positive, x, weight.reshape(shape) * where(positive, 0.0, x));
}

}  // namespace tapegrad
