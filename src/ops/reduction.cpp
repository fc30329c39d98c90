#include "ops/reduction.h"

#include "core/fail.h"
#include "tensor/impl.h"

namespace tapegrad {

Reduction::Reduction(const char* op, const Shape& shape, const Axes& axes) : shape_(shape) {
  const int64_t rank = shape.size();
  for (int64_t axis : axes.list()) {
    const int64_t at = wrap_axis(op, axis, rank);
    if (is_reduced(at)) fail<IndexError>(op, "axis {} is named twice in {}", axis, axes.list());
    reduced_ |= 1u << at;
  }
  if (axes.all()) reduced_ = (1u << rank) - 1;

  // Side by side: once the reduced axes have begun and ended, none may follow. Axes of size one do not
  // matter.
  enum { before, inside, after } place = before;
  for (int64_t i = 0; i < rank; ++i) {
    if (shape[i] == 1) continue;
    if (is_reduced(i)) {
      if (place == after) in_order_ = false;
      place = inside;
      n *= shape[i];
    } else {
      if (place == inside) place = after;
      (place == before ? outer : inner) *= shape[i];
    }
  }
  if (in_order_) return;
  outer *= inner;  // else they are moved to the end
  inner = 1;
  for (int64_t i = 0; i < rank; ++i)
    if (!is_reduced(i)) order_.push_back(i);
  for (int64_t i = 0; i < rank; ++i)
    if (is_reduced(i)) order_.push_back(i);
}

Tensor Reduction::arrange(const Tensor& x) const {
  return in_order_ ? x.detach().contiguous() : x.detach().permute(order_).contiguous();
}

Shape Reduction::result_shape(bool keepdim) const {
  Shape out;
  for (int64_t i = 0; i < shape_.size(); ++i) {
    if (!is_reduced(i))
      out.push_back(shape_[i]);
    else if (keepdim)
      out.push_back(1);
  }
  return out;
}

Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, bool keepdim, double scale) {
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(keepdim), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for (int64_t o = 0; o < over.outer; ++o)
      for (int64_t i = 0; i < over.inner; ++i) {
        double total = 0;
        for (int64_t k = 0; k < over.n; ++k) total += double(in[(o * over.n + k) * over.inner + i]);
        out[o * over.inner + i] = T(total * scale);
      }
  });
  return y;
}

}  // namespace tapegrad
