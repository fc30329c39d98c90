// The one copy that a handle itself needs: the values of a view in row-major order.
#include <algorithm>

#include "kernels/loops/strided.h"
#include "tensor/impl.h"

namespace tapegrad::detail {

Tensor contiguous_copy(const Tensor& x) {
  Tensor y = new_tensor(x.shape(), x.dtype());
  dispatch_all(x.dtype(), [&]<class T>(T) {
    if (x.is_contiguous())
      std::copy_n(ptr<T>(x), x.numel(), mutable_ptr<T>(y));
    else
      kernels::copy_strided(int(x.dim()), x.shape().begin(), x.strides().begin(), ptr<T>(x),
                            mutable_ptr<T>(y));
  });
  return y;
}

}  // namespace tapegrad::detail
