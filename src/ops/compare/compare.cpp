// Comparisons of two tensors, or of a tensor and a number, into masks. They are constant wherever they are
// differentiable, so they have no gradient.
//
// Everything comes down to a < b, a <= b and a == b. `not (a < b)` is not b <= a where one is NaN, so each
// has its loop; != is the negation of == also then.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

template <class F>
Tensor compare(const char* op, const Tensor& a, const Tensor& b, F f) {
  return record_nondifferentiable(op, compute::compare(op, a, b, f), {a, b});
}

Tensor less(const char* op, const Tensor& a, const Tensor& b) {
  return compare(op, a, b, [](auto a, auto b) { return a < b; });
}
Tensor less_equal(const char* op, const Tensor& a, const Tensor& b) {
  return compare(op, a, b, [](auto a, auto b) { return a <= b; });
}
Tensor equal(const char* op, const Tensor& a, const Tensor& b) {
  return compare(op, a, b, [](auto a, auto b) { return a == b; });
}

}  // namespace

Tensor eq(const Tensor& a, const Tensor& b) {
  return equal("eq", a, b);
}
Tensor ne(const Tensor& a, const Tensor& b) {
  return logical_not(equal("ne", a, b));
}
Tensor lt(const Tensor& a, const Tensor& b) {
  return less("lt", a, b);
}
Tensor le(const Tensor& a, const Tensor& b) {
  return less_equal("le", a, b);
}
Tensor gt(const Tensor& a, const Tensor& b) {
  return less("gt", b, a);
}
Tensor ge(const Tensor& a, const Tensor& b) {
  return less_equal("ge", b, a);
}

Tensor eq(const Tensor& a, double b) {
  return equal("eq", a, number_like("eq", a, b));
}
Tensor ne(const Tensor& a, double b) {
  return logical_not(equal("ne", a, number_like("ne", a, b)));
}
Tensor lt(const Tensor& a, double b) {
  return less("lt", a, number_like("lt", a, b));
}
Tensor le(const Tensor& a, double b) {
  return less_equal("le", a, number_like("le", a, b));
}
Tensor gt(const Tensor& a, double b) {
  return less("gt", number_like("gt", a, b), a);
}
Tensor ge(const Tensor& a, double b) {
  return less_equal("ge", number_like("ge", a, b), a);
}

}  // namespace tapegrad
