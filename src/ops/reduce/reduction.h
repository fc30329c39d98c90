// Which axes a reduction goes over, and how the tensor looks to its kernel: [outer, n, inner], where n is
// reduced.
#pragma once
#include <tapegrad/ops.h>

#include "kernels/loops/fold.h"
#include "tensor/impl.h"

namespace tapegrad {

class Reduction {
 public:
  /// Throws IndexError for an axis outside the shape or named twice.
  Reduction(const char* op, const Shape& shape, const Axes& axes);

  int64_t outer = 1, n = 1, inner = 1;

  /// x contiguous in the order that [outer, n, inner] means: the reduced axes side by side.
  Tensor arrange(const Tensor& x) const;
  /// The same with the reduced axes last: [outer * inner, n].
  Tensor arrange_rows(const Tensor& x) const;
  /// A tensor laid out as arrange_rows() returns it, in x's shape again.
  Tensor restore_rows(const Tensor& rows) const;
  /// The reduced axes as another reduction takes them: none for a tensor without axes.
  Axes axes() const;
  /// The axes that stay, then the reduced ones.
  const Shape& order() const { return order_; }
  int64_t results() const { return outer * inner; }
  const Shape& input_shape() const { return shape_; }
  /// The result's shape, with the reduced axes as size 1 or gone.
  Shape result_shape(bool keepdim) const;
  Shape kept_shape() const { return result_shape(true); }
  bool is_reduced(int64_t axis) const { return reduced_ >> axis & 1; }

 private:
  Shape shape_, order_;
  uint32_t reduced_ = 0;  // a bit per axis
  bool in_order_ = true;  // the reduced axes lie side by side already
};

/// a / b, and 0 where b is 0: the gradient of a root, by convention, at its kink. Made of operations.
Tensor divide_or_zero(const Tensor& a, const Tensor& b);

/// fold(over, x, start, step, finish) calls kernels::fold on x as arrange() returns it.
template <class State, class T, class Start, class Step, class Finish>
void fold(const Reduction& over, const Tensor& arranged, Start start, Step step, Finish finish) {
  kernels::fold<State>(over.outer, over.n, over.inner, detail::ptr<T>(arranged), start, step, finish);
}

/// The sum over the reduced axes, added up in float64, divided by `divisor`. Nothing is recorded.
Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, bool keepdim, double divisor);

}  // namespace tapegrad
