// File: ops/reduce.h
//
// Reductions over all elements, one axis or several: sum(x), sum(x, -1), sum(x, {0, 2}, {.keepdim = true}).
//
// **Shape**: the reduced axes vanish, or stay with size 1 under keepdim. **Throws** IndexError for an axis
// that the tensor does not have, or that is named twice.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

struct ReduceOptions {
  bool keepdim = false;  ///< keep the reduced axes with size 1
};

/// The sum. **Gradient**: dx = dy, repeated. **Numerics**: float32 is added up in float64, in an order that
/// the shape fixes.
Tensor sum(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// The sum divided by the number of elements; NaN where there are none. **Gradient**: dx = dy / n, repeated.
/// **Numerics**: as sum().
Tensor mean(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

}  // namespace tapegrad
