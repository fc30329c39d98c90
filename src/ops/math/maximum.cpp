// y = max(a, b) and y = min(a, b), elementwise with broadcasting.
//   da = dy where a is the larger, dy / 2 where both are equal, else 0    db likewise
// a and b are saved. The halves are a subgradient that treats both alike, as PyTorch's. NaN in either is NaN
// out, and then the gradient goes to neither.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor larger(const char* op, const Tensor& a, const Tensor& b) {
  return map2(op, a, b, [](auto a, auto b) { return a > b || a != a ? a : b; });
}
Tensor smaller(const char* op, const Tensor& a, const Tensor& b) {
  return map2(op, a, b, [](auto a, auto b) { return a < b || a != a ? a : b; });
}

// The share of dy that goes to `x`, which won where `wins` holds.
Tensor share(const Tensor& dy, const Tensor& wins, const Tensor& ties) {
  return where(wins, dy, where(ties, dy * 0.5, 0));
}

Tensor recorded(const char* op, const Tensor& y, const Tensor& a, const Tensor& b, bool larger_wins) {
  return record(op, y, {a, b},
                [a = Saved(a), b = Saved(b), larger_wins](const Tensor& dy, Needs needs) -> Gradients {
                  const Tensor &high = larger_wins ? a : b, &low = larger_wins ? b : a;
                  const Tensor ties = eq(a, b);
                  return {needs[0] ? share(dy, gt(high, low), ties) : Tensor(),
                          needs[1] ? share(dy, lt(high, low), ties) : Tensor()};
                });
}

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) {
  return recorded("maximum", larger("maximum", a, b), a, b, true);
}
Tensor maximum(const Tensor& a, double b) {
  return maximum(a, number_like("maximum", a, b));
}
Tensor maximum(double a, const Tensor& b) {
  return maximum(number_like("maximum", b, a), b);
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return recorded("minimum", smaller("minimum", a, b), a, b, false);
}
Tensor minimum(const Tensor& a, double b) {
  return minimum(a, number_like("minimum", a, b));
}
Tensor minimum(double a, const Tensor& b) {
  return minimum(number_like("minimum", b, a), b);
}

}  // namespace tapegrad
