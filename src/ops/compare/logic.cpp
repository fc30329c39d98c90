// Logic on masks, and masks from values: no gradient. Masks are boolean; a comparison makes one.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

void check_mask(const char* op, const Tensor& x) {
  if (x.dtype() != boolean)
    fail<DtypeError>(op, "takes boolean tensors, got {}. Hint: make a mask with a comparison, ne(x, 0)",
                     x.dtype());
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
