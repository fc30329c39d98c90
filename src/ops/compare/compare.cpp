// Comparisons of two tensors, or of a tensor and a number, into masks. They are constant wherever they are
// differentiable, so they have no gradient. Each has its own loop: `not (a < b)` is not a >= b where one is NaN.
#include <functional>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

template <class F>
Tensor compare(const char* op, const Tensor& a, const Tensor& b, F f) {
  return record_nondifferentiable(op, compute::compare(op, a, b, f), {a, b});
}
template <class F>
Tensor compare(const char* op, const Tensor& a, double b, F f) {
  return record_nondifferentiable(op, compute::compare(op, a, number_like(op, a, b), f), {a}, {{"b", b}});
}

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) { return compare("eq", a, b, std::equal_to()); }
Tensor eq(const Tensor& a, double b) { return compare("eq", a, b, std::equal_to()); }

Tensor ne(const Tensor& a, const Tensor& b) { return compare("ne", a, b, std::not_equal_to()); }
Tensor ne(const Tensor& a, double b) { return compare("ne", a, b, std::not_equal_to()); }

Tensor lt(const Tensor& a, const Tensor& b) { return compare("lt", a, b, std::less()); }
Tensor lt(const Tensor& a, double b) { return compare("lt", a, b, std::less()); }

Tensor le(const Tensor& a, const Tensor& b) { return compare("le", a, b, std::less_equal()); }
Tensor le(const Tensor& a, double b) { return compare("le", a, b, std::less_equal()); }

Tensor gt(const Tensor& a, const Tensor& b) { return compare("gt", a, b, std::greater()); }
Tensor gt(const Tensor& a, double b) { return compare("gt", a, b, std::greater()); }

Tensor ge(const Tensor& a, const Tensor& b) { return compare("ge", a, b, std::greater_equal()); }
Tensor ge(const Tensor& a, double b) { return compare("ge", a, b, std::greater_equal()); }

}  // namespace tapegrad
