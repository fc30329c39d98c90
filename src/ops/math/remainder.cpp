// y = a - q b,  q = floor(a / b), elementwise with broadcasting.
//   da = dy    db = -dy q
// where q is constant. The C library's fmod is exact and has the sign of a; where that is not b's sign, one b is added. a, b and y
// are saved, and q is (a - y) / b, a whole number but for rounding, so that it belongs to the y that was returned.
#include "ops/elementwise.h"

namespace tapegrad {

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
