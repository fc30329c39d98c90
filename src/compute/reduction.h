// Reductions. Which axes one goes over, and how the tensor looks to its loop: [outer, n, inner], where n is
// reduced. Sums are added up in float64, in an order that depends on the shape alone.
#pragma once
#include <tapegrad/tensor.h>

#include "kernels/loops/fold.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

/// A bit for each of the axes. Throws IndexError for one that a tensor of `rank` axes does not have, or that is named twice.
uint32_t axis_bits(const char* op, const Shape& axes, int64_t rank);

class Reduction {
 public:
  /// Throws IndexError for an axis outside the shape or named twice.
  Reduction(const char* op, const Shape& shape, const Axes& axes, bool keepdim = false);

  int64_t outer = 1, n = 1, inner = 1;
  bool keepdim;  // the reduced axes stay in the result, with size 1

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
  Shape result_shape() const;
  /// The same under keepdim.
  Shape kept_shape() const;

 private:
  bool is_reduced(int64_t axis) const { return reduced_ >> axis & 1; }
  Shape shape_, order_;
  uint32_t reduced_ = 0;  // a bit per axis
  bool in_order_ = true;  // the reduced axes lie side by side already
};

/// A new tensor y that f(x, y) fills: x as arrange() returns it and y in the result's shape, pointers to elements of x's
/// type, which must be floating.
template <class F>
Tensor reduce(const char* op, const Tensor& x, const Reduction& over, F f) {
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) { f(detail::ptr<T>(from), detail::mutable_ptr<T>(y)); });
  return y;
}

/// The sum over the reduced axes, divided by `divisor`.
Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, double divisor);

/// The sum of int64 or of a mask, in int64.
Tensor count_sum(const Tensor& x, const Reduction& over);

/// x summed over the axes along which `shape` was repeated to x's shape.
Tensor sum_to(const Tensor& x, const Shape& shape);

/// The sum of (x - mu)^2 divided by `divisor`, mu the mean, or the root of that; in two passes.
Tensor variance(const char* op, const Tensor& x, const Reduction& over, double divisor, bool root);

/// The root of the sum of squares.
Tensor vector_norm(const Tensor& x, const Reduction& over);

/// The largest or smallest elements, and the position of the first of equals; NaN is taken as soon as it is
/// met. Writes the values, the indices or both: either may be an empty handle. Throws ShapeError where there
/// is nothing to take.
enum class Side { largest, smallest };
void extremes(const char* op, Side side, const Reduction& over, const Tensor& x, const Tensor& values,
              const Tensor& indices);

/// ln sum exp(x) over the reduced axes, of which there is an element, in float64.
Tensor logsumexp(const Tensor& x, const Reduction& over);

/// y_i = x_0 + ... + x_i along an axis, or x_i + ... + x_last.
Tensor cumsum(const Tensor& x, int64_t axis, bool from_end);

}  // namespace tapegrad::compute
