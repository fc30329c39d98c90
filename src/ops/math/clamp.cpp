// y = low where x < low, high where x > high, else x.
//   dx = dy where low <= x <= high, else 0
// x is saved. The gradient goes through at the bounds themselves, so that a value that was clamped to one can
// come back.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high))
    fail<ValueError>("clamp", "low must not be greater than high, got {} and {}", low, high);
  // f(x) inside the bounds, `below` and `above` beyond them.
  const auto choose = [low, high](auto x, auto below, auto above, auto inside) {
    return where(x < constant(x, low), below, where(x > constant(x, high), above, inside));
  };
  return unary(
      "clamp", x, [=](auto x) { return choose(x, constant(x, low), constant(x, high), x); }, Save::x,
      [=](auto dy, auto x) { return choose(x, 0, 0, dy); }, {{"low", low}, {"high", high}});
}

}  // namespace tapegrad
