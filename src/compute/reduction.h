// Reductions. Which axes one goes over, and how the tensor looks to its loop: [outer, n, inner], where n is
// reduced. Sums are added up in float64, in an order that depends on the shape alone.
#pragma once
#include <tapegrad/tensor.h>

#include "kernels/loops/fold.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

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
  /// The permutation that undoes order().
  Shape inverse_order() const;
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

/// fold(over, x, start, step, finish) calls kernels::fold on x as arrange() returns it.
template <class State, class T, class Start, class Step, class Finish>
void fold(const Reduction& over, const Tensor& arranged, Start start, Step step, Finish finish) {
  kernels::fold<State>(over.outer, over.n, over.inner, detail::ptr<T>(arranged), start, step, finish);
}

/// The sum over the reduced axes, divided by `divisor`.
Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, bool keepdim, double divisor);

/// x summed over the axes along which `shape` was repeated to x's shape.
Tensor sum_to(const Tensor& x, const Shape& shape);

/// The sum of (x - mu)^2 divided by `divisor`, mu the mean, or the root of that; in two passes.
Tensor variance(const char* op, const Tensor& x, const Reduction& over, bool keepdim, double divisor,
                bool root);

/// The root of the sum of squares.
Tensor euclidean_norm(const Tensor& x, const Reduction& over, bool keepdim);

/// The largest or smallest elements, and the position of the first of equals; NaN is taken as soon as it is
/// met. Writes the values, the indices or both: either may be an empty handle. Throws ShapeError where there
/// is nothing to take.
enum class Side { largest, smallest };
void extremes(const char* op, Side side, const Reduction& over, const Tensor& x, const Tensor& values,
              const Tensor& indices);

/// y_i = x_0 + ... + x_i along an axis, or x_i + ... + x_last.
Tensor cumsum(const Tensor& x, int64_t axis, bool from_end);

}  // namespace tapegrad::compute
