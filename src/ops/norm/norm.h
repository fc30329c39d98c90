// What layer_norm and rms_norm share: the rule of their shapes.
#pragma once
#include "ops/elementwise.h"

namespace tapegrad {

/// Checks all that is given and throws before anything is computed. weight and bias may be undefined. Returns the axes
/// that are normalized, the last ones.
Axes check_norm(const char* op, const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                const Tensor& bias, double eps);

}  // namespace tapegrad
