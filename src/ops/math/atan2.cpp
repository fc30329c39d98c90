// y = the angle of the point (b, a), elementwise with broadcasting.
//   da = dy b / (a^2 + b^2)    db = -dy a / (a^2 + b^2)
// since y = arctan(a / b) up to a constant. a and b are saved. Both are divided by m, the larger magnitude, first, so that no square
// over- or underflows; the formula holds for any m, so m counts as a constant in second derivatives.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor atan2(const Tensor& a, const Tensor& b) {
  const Tensor y = map2("atan2", a, b, [](auto a, auto b) { return decltype(a)(std::atan2(a, b)); });
  return record("atan2", y, {a, b}, [a = Saved(a), b = Saved(b)](const Tensor& dy, Needs needs) -> Gradients {
    const Tensor m = maximum(abs(a.get().detach()), abs(b.get().detach()));
    const Tensor up = a / m, right = b / m, share = dy / ((up * up + right * right) * m);
    return {needs[0] ? share * right : Tensor(), needs[1] ? -(share * up) : Tensor()};
  });
}

}  // namespace tapegrad
