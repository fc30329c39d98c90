// Which axes a reduction goes over, and how the tensor looks to its kernel: [outer, n, inner], where n is
// reduced.
#pragma once
#include <tapegrad/ops.h>

namespace tapegrad {

class Reduction {
 public:
  /// Throws IndexError for an axis outside the shape or named twice.
  Reduction(const char* op, const Shape& shape, const Axes& axes);

  int64_t outer = 1, n = 1, inner = 1;

  /// x contiguous in the order that [outer, n, inner] means: the reduced axes side by side.
  Tensor arrange(const Tensor& x) const;
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

/// `scale` times the sum over the reduced axes, added up in float64. Nothing is recorded.
Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, bool keepdim, double scale);

}  // namespace tapegrad
