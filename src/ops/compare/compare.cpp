// Comparisons of two tensors, or of a tensor and a number, into masks, logic on masks, and masks from values. They are constant
// wherever they are differentiable, so they have no gradient. Each comparison has its own loop: `not (a < b)` is not a >= b
// where one is NaN.
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

namespace {

void check_mask(const char* op, const Tensor& x) {
  if (x.dtype() != boolean)
    fail<DtypeError>(op, "takes boolean tensors, got {}. Hint: make a mask with a comparison, ne(x, 0)", x.dtype());
}

template <class F>
Tensor logic(const char* op, const Tensor& a, const Tensor& b, F f) {
  check_mask(op, a);
  check_mask(op, b);
  return record_nondifferentiable(op, compute::map_masks(op, a, b, f), {a, b});
}

}  // namespace

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return logic("logical_and", a, b, [](uint8_t a, uint8_t b) { return uint8_t(a & b); });
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return logic("logical_or", a, b, [](uint8_t a, uint8_t b) { return uint8_t(a | b); });
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return logic("logical_xor", a, b, [](uint8_t a, uint8_t b) { return uint8_t(a ^ b); });
}

Tensor logical_not(const Tensor& x) {
  check_mask("logical_not", x);
  const Tensor y = compute::map_masks("logical_not", x, x, [](uint8_t x, uint8_t) { return uint8_t(x ^ 1); });
  return record_nondifferentiable("logical_not", y, {x});
}

Tensor isnan(const Tensor& x) {
  return record_nondifferentiable("isnan", compute::test("isnan", x, [](auto x) { return x != x; }), {x});
}
Tensor isfinite(const Tensor& x) {
  const Tensor y = compute::test("isfinite", x, [](auto x) { return x - x == 0; });  // inf - inf is NaN
  return record_nondifferentiable("isfinite", y, {x});
}

Tensor any(const Tensor& x) {
  check_mask("any", x);
  return record_nondifferentiable("any", full({}, compute::contains(x, true), {.dtype = boolean}), {x});
}
Tensor all(const Tensor& x) {
  check_mask("all", x);
  return record_nondifferentiable("all", full({}, !compute::contains(x, false), {.dtype = boolean}), {x});
}

}  // namespace tapegrad
