// y = a^b, elementwise with broadcasting.
//   da = dy b a^(b-1), 0 where b = 0           db = dy y ln(a), 0 where a = 0 and b >= 0
// a, b and y are saved. The two exceptions are limits that the formulas would answer with 0 * inf. For
// negative a the power exists at whole b only, and db is NaN: ln(a) says so. A number as exponent gets no
// gradient, so x^2 of negative x is fine.
//
// Small whole exponents are products; the others take the C library's pow, which is not vectorized but exact.
#include <cmath>
#include <limits>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor forward(const Tensor& a, const Tensor& b) {
  return map2("pow", a, b, [](auto a, auto b) { return decltype(a)(std::pow(a, b)); });
}

Tensor power(const Tensor& a, double b) {
  if (b == 2) return map("pow", a, [](auto a) { return a * a; });
  if (b == 3) return map("pow", a, [](auto a) { return a * a * a; });
  return forward(a, number_like("pow", a, b));
}

}  // namespace

Tensor pow(const Tensor& a, const Tensor& b) {
  Tensor y = forward(a, b);
  return record("pow", y, {a, b},
                [a = Saved(a), b = Saved(b), y = Saved(y)](const Tensor& dy, Needs needs) -> Gradients {
                  Tensor da, db;
                  if (needs[0]) da = where(eq(b, 0), 0, dy * (b * pow(a, b - 1)));
                  if (needs[1]) {
                    // ln(1) stands where the result is not used, so that nothing infinite comes into second
                    // derivatives.
                    const Tensor flat = logical_and(eq(a, 0), ge(b, 0));
                    db = where(flat, 0, dy * (y.get() * log(where(flat, 1, a))));
                  }
                  return {da, db};
                });
}

Tensor pow(const Tensor& a, double b) {
  return record("pow", power(a, b), {a}, {{"b", b}}, [a = Saved(a), b](const Tensor& dy) -> Gradients {
    if (b == 0) return {zeros_like(dy)};
    if (b == 1) return {dy};
    return {b == 2 ? dy * (a * b) : dy * (pow(a, b - 1) * b)};
  });
}

Tensor pow(double a, const Tensor& b) {
  Tensor y = forward(number_like("pow", b, a), b);
  return record("pow", y, {b}, {{"a", a}}, [a, b = Saved(b), y = Saved(y)](const Tensor& dy) -> Gradients {
    if (a == 0) return {where(ge(b, 0), 0, dy * (y * -std::numeric_limits<double>::infinity()))};
    return {dy * (y * std::log(a))};
  });
}

}  // namespace tapegrad
