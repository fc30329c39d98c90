// Logic on masks, and masks from values: no gradient. Masks are boolean; a comparison makes one.
#include <algorithm>
#include <cmath>

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
  Tensor y = detail::new_result(op, a, b, boolean);
  detail::map2_into<uint8_t, uint8_t, uint8_t>(a, b, y, f);
  return record_nondifferentiable(op, y, {a, b});
}

template <class F>
Tensor test(const char* op, const Tensor& x, F f) {
  const detail::Contiguous from(x);
  Tensor y = detail::new_tensor(x.shape(), boolean);
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    kernels::map(y.numel(), detail::ptr<T>(from.get()), detail::mutable_ptr<bool>(y), f);
  });
  return record_nondifferentiable(op, y, {x});
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
  const detail::Contiguous from(x);
  Tensor y = detail::new_tensor(x.shape(), boolean);
  kernels::map(y.numel(), detail::ptr<uint8_t>(from.get()), detail::mutable_ptr<uint8_t>(y),
               [](uint8_t x) { return uint8_t(x ^ 1); });
  return record_nondifferentiable("logical_not", y, {x});
}

Tensor isnan(const Tensor& x) {
  return test("isnan", x, [](auto x) { return x != x; });
}
Tensor isfinite(const Tensor& x) {
  return test("isfinite", x, [](auto x) { return x - x == 0; });  // inf - inf is NaN
}

Tensor any(const Tensor& x) {
  check_mask("any", x);
  const detail::Contiguous from(x);
  const bool* in = detail::ptr<bool>(from.get());
  Tensor y = detail::new_tensor({}, boolean);
  *detail::mutable_ptr<bool>(y) = std::any_of(in, in + x.numel(), [](bool value) { return value; });
  return record_nondifferentiable("any", y, {x});
}
Tensor all(const Tensor& x) {
  check_mask("all", x);
  const detail::Contiguous from(x);
  const bool* in = detail::ptr<bool>(from.get());
  Tensor y = detail::new_tensor({}, boolean);
  *detail::mutable_ptr<bool>(y) = std::all_of(in, in + x.numel(), [](bool value) { return value; });
  return record_nondifferentiable("all", y, {x});
}

}  // namespace tapegrad
