// What most operations are made of: the functions of compute by their names, unary(), a whole operation on one tensor,
// and elementwise_vjp(), which makes a backward function out of one formula.
#pragma once
#include <tapegrad/ops.h>
#include <tapegrad/record.h>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "compute/formula.h"

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

/// Which of its tensors an operation saves for its backward function.
enum class Save { x, y };

/// The operation y = f(x), elementwise, with dx = vjp(dy, x) or vjp(dy, y): see elementwise_vjp().
template <class F, class Vjp>
Tensor unary(const char* op, const Tensor& x, F f, Save save, Vjp vjp, detail::Attributes attributes = {}) {
  const Tensor y = map(op, x, f);
  return record(op, y, {x}, attributes,
                [op, vjp, saved = Saved(save == Save::x ? x : y)](const Tensor& dy) -> Gradients {
                  return {elementwise_vjp(op, vjp, dy, saved)};
                });
}

/// a / b, and 0 where b is 0: the gradient of a root, by convention, at its kink. Made of operations.
inline Tensor divide_or_zero(const Tensor& a, const Tensor& b) {
  const Tensor zero = eq(b.detach(), 0.0);
  return where(zero, 0.0, a / where(zero, 1.0, b));  // a division by zero would come back as 0 * inf = NaN
}

/// Zeros of `shape`, with `part` at entries start, start + step, ... of `axis`: the gradient of slice(). Recorded; dpart is
/// that slice of dy.
Tensor place(const Tensor& part, const Shape& shape, int64_t axis, int64_t start, int64_t step);

}  // namespace tapegrad
