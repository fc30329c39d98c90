#include "ops/reduce/reduction.h"

#include <algorithm>

#include "core/fail.h"
#include "kernels/loops/reduce.h"
#include "system/parallel.h"

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

namespace {

// One tall block is cut into pieces of rows, whose sums are added in their order.
template <class T>
void sum_block(int64_t n, int64_t inner, const T* x, T* y, double divisor) {
  const int64_t rows = std::max<int64_t>(1, kernels::fold_grain / std::max<int64_t>(inner, 1));
  const int64_t pieces = (n + rows - 1) / rows;
  if (pieces <= 1) return kernels::sum(1, n, inner, x, y, divisor);
  const Tensor sums = detail::new_tensor({pieces, inner}, float64);
  double* to = detail::mutable_ptr<double>(sums);
  parallel_for(pieces, [=](int64_t piece) {
    const int64_t first = piece * rows;
    kernels::sum(1, std::min(rows, n - first), inner, x + first * inner, to + piece * inner);
  });
  kernels::sum(1, pieces, inner, to, y, divisor);
}

}  // namespace

Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, bool keepdim, double divisor) {
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(keepdim), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    const int64_t n = over.n, inner = over.inner;
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    if (over.outer == 1) return sum_block(n, inner, in, out, divisor);
    const int64_t grain = std::max<int64_t>(1, kernels::fold_grain / std::max<int64_t>(n * inner, 1));
    parallel_rows(over.outer, grain, [=](int64_t begin, int64_t end) {
      kernels::sum(end - begin, n, inner, in + begin * n * inner, out + begin * inner, divisor);
    });
  });
  return y;
}

}  // namespace tapegrad
