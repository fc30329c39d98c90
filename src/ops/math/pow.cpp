// pow: y = a^b, elementwise with broadcasting.
//   da = dy b a^(b-1), 0 where b = 0           db = dy y ln(a), 0 where a = 0 and b >= 0
// a, b and y are saved. The two exceptions are limits that the formulas would answer with 0 * inf. For
// negative a the power exists at whole b only, and db is NaN: ln(a) says so. A number as exponent gets no
// gradient, so x^2 of negative x is fine.
//
// Small whole exponents are products; the others take the C library's pow, which is not vectorized but exact.
//
// atan2: y = the angle of the point (b, a), elementwise with broadcasting.
//   da = dy b / (a^2 + b^2)    db = -dy a / (a^2 + b^2)
// since y = arctan(a / b) up to a constant. a and b are saved. Both are divided by m, the larger magnitude, first, so that no square
// over- or underflows; the formula holds for any m, so m counts as a constant in second derivatives.
//
// remainder: y = a - q b,  q = floor(a / b), elementwise with broadcasting.
//   da = dy    db = -dy q
// where q is constant. The C library's fmod is exact and has the sign of a; where that is not b's sign, one b is added. a, b and y
// are saved, and q is (a - y) / b, a whole number but for rounding, so that it belongs to the y that was returned.
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

Tensor atan2(const Tensor& a, const Tensor& b) {
  const Tensor y = map2("atan2", a, b, [](auto a, auto b) { return decltype(a)(std::atan2(a, b)); });
  return record("atan2", y, {a, b}, [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Gradients {
    const Tensor m = maximum(abs(a.get().detach()), abs(b.get().detach()));
    const Tensor up = a / m, right = b / m, share = dy / ((up * up + right * right) * m);
    return {needs[0] ? share * right : Tensor(), needs[1] ? -(share * up) : Tensor()};
  });
}

Tensor remainder(const Tensor& a, const Tensor& b) {
  if (b.dtype() == int64 && !all(ne(b, 0.0)).item<bool>())
    fail<ValueError>("remainder", "whole numbers have no remainder by 0");
  const Tensor y = compute::map2_number("remainder", a, b, [](auto a, auto b) {
    if constexpr (std::is_floating_point_v<decltype(a)>) {
      const auto rest = std::fmod(a, b);
      return decltype(a)(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
    } else {
      const auto rest = b == -1 ? 0 : a % b;  // the quotient by -1 may leave the range
      return decltype(a)(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
    }
  });
  return record("remainder", y, {a, b},
                [a = Saved(a), b = Saved(b), y = Saved(y)](const Tensor& dy, Needs needs) -> Gradients {
                  if (!needs[1]) return {dy, Tensor()};
                  const Tensor quotient = round((a.get().detach() - y.get().detach()) / b.get().detach());
                  return {dy, -(dy * quotient)};
                });
}

Tensor remainder(const Tensor& a, double b) { return remainder(a, number_like("remainder", a, b)); }

}  // namespace tapegrad
