// What layer_norm and rms_norm share: the rule of their shapes, and how rows are split among threads.
#pragma once
#include "ops/elementwise.h"

namespace tapegrad {

/// A tensor of any shape as `rows` rows of `d` elements.
struct NormRows {
  int64_t rows, d;

  /// Rows of one chunk of work: about 32768 elements, and at most 32 chunks, because each has sums for
  /// dweight and dbias of its own. It depends on the shape alone, and so do the bits of these sums.
  int64_t grain() const { return std::max({int64_t(1), 32768 / d, (rows + 31) / 32}); }
  int64_t chunks() const { return (rows + grain() - 1) / grain(); }
};

/// Checks all that is given and throws before anything is computed. weight and bias may be undefined.
NormRows check_norm(const char* op, const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                    const Tensor& bias, double eps);

/// The last `n` axes, for a reduction.
Axes last_axes(int64_t n);

}  // namespace tapegrad
