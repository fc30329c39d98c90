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
  if (!in_order_) {  // arrange() moves them to the end
    outer *= inner;
    inner = 1;
  }
  for (bool reduced : {false, true})
    for (int64_t i = 0; i < rank; ++i)
      if (is_reduced(i) == reduced) order_.push_back(i);
}

Tensor Reduction::arrange(const Tensor& x) const {
  return in_order_ ? x.detach().contiguous() : x.detach().permute(order_).contiguous();
}

Tensor Reduction::arrange_rows(const Tensor& x) const {
  return in_order_ && inner == 1 ? x.detach().contiguous() : x.detach().permute(order_).contiguous();
}

Tensor Reduction::restore_rows(const Tensor& rows) const {
  if (in_order_ && inner == 1) return rows;
  Shape back = order_;
  for (int64_t i = 0; i < order_.size(); ++i) back[order_[i]] = i;
  return rows.permute(back);
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

Axes Reduction::axes() const {
  Shape list;
  for (int64_t i = 0; i < shape_.size(); ++i)
    if (is_reduced(i)) list.push_back(i);
  return Axes(list);
}

Tensor divide_or_zero(const Tensor& a, const Tensor& b) {
  const Tensor zero = eq(b.detach(), 0.0);
  return where(zero, 0.0, a / where(zero, 1.0, b));  // a division by zero would come back as 0 * inf = NaN
}

Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, bool keepdim, double scale) {
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(keepdim), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    T* out = detail::mutable_ptr<T>(y);
    fold<double, T>(
        over, from, [](int64_t) { return 0.0; },
        [](double& total, T value, int64_t) { total += double(value); },
        [=](int64_t at, double total) { out[at] = T(total * scale); });
  });
  return y;
}

}  // namespace tapegrad
