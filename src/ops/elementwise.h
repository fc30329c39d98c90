// What most operations are made of: the functions of compute by their names, and elementwise_vjp(), which
// makes a backward function out of one formula.
#pragma once
#include <tapegrad/ops.h>
#include <tapegrad/record.h>

#include "compute/elementwise.h"

namespace tapegrad {

using compute::check_floating;
using compute::check_same_dtype;
using compute::map;
using compute::map2;
using compute::number_like;

/// dx from one formula. `f` takes numbers or tensors: a generic lambda over dy and what was saved, written
/// with operators and functions that exist for both (formula.h). One pass over memory as long as nothing
/// records; the formula in operations when the backward pass is itself recorded.
///
///   return {elementwise_vjp("tanh", [](auto dy, auto y) { return dy * (1 - y * y); }, dy, y)};
template <class F>
Tensor elementwise_vjp(const char* op, F f, const Tensor& dy, const Tensor& saved) {
  return is_recording() ? f(dy, saved) : compute::zip(op, dy, saved, f);
}

/// a / b, and 0 where b is 0: the gradient of a root, by convention, at its kink. Made of operations.
Tensor divide_or_zero(const Tensor& a, const Tensor& b);

}  // namespace tapegrad
