#include "ops/reduction.h"

#include "core/fail.h"

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

}  // namespace tapegrad
