// y = max(a, b) and y = min(a, b), elementwise with broadcasting.
//   da = dy where a is the larger, dy / 2 where both are equal, else 0    db likewise
// a and b are saved. The halves are a subgradient that treats both alike, as PyTorch's. NaN in either is NaN
// out, and then the gradient goes to neither.
//
// clamp: y = low where x < low, high where x > high, else x.
//   dx = dy where low <= x <= high, else 0
// x is saved. The gradient goes through at the bounds themselves, so that a value that was clamped to one can
// come back.
//
// y = a where the condition holds, else b; all three broadcast.
//   da = dy where the condition holds, else 0    db the other way round
// The condition is saved, the values are not: what was not chosen may be NaN or infinite and does no harm,
// unlike in condition * a + (1 - condition) * b.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// `wins` compares numbers and tensors.
template <class Wins>
Tensor winner(const char* op, const Tensor& a, const Tensor& b, Wins wins) {
  const Tensor y = map2(op, a, b, [wins](auto a, auto b) { return wins(a, b) || a != a ? a : b; });
  return record(op, y, {a, b}, [a = Saved(a), b = Saved(b), wins](const Tensor& dy, Needs needs) -> Gradients {
    const Tensor tied = where(eq(a, b), dy * 0.5, 0);
    return {needs[0] ? where(wins(a.get(), b.get()), dy, tied) : Tensor(),
            needs[1] ? where(wins(b.get(), a.get()), dy, tied) : Tensor()};
  });
}

constexpr auto larger = [](const auto& a, const auto& b) { return a > b; };
constexpr auto smaller = [](const auto& a, const auto& b) { return a < b; };

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) { return winner("maximum", a, b, larger); }
Tensor maximum(const Tensor& a, double b) { return maximum(a, number_like("maximum", a, b)); }
Tensor maximum(double a, const Tensor& b) { return maximum(number_like("maximum", b, a), b); }

Tensor minimum(const Tensor& a, const Tensor& b) { return winner("minimum", a, b, smaller); }
Tensor minimum(const Tensor& a, double b) { return minimum(a, number_like("minimum", a, b)); }
Tensor minimum(double a, const Tensor& b) { return minimum(number_like("minimum", b, a), b); }

Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high)) fail<ValueError>("clamp", "low must not be greater than high, got {} and {}", low, high);
  // f(x) inside the bounds, `below` and `above` beyond them.
  const auto choose = [low, high](auto x, auto below, auto above, auto inside) {
    return where(x < constant(x, low), below, where(x > constant(x, high), above, inside));
  };
  return unary(
      "clamp", x, [=](auto x) { return choose(x, constant(x, low), constant(x, high), x); }, Save::x,
      [=](auto dy, auto x) { return choose(x, 0, 0, dy); }, {{"low", low}, {"high", high}});
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != boolean)
    fail<DtypeError>("where", "the condition must be boolean, got {}. Hint: make a mask with a comparison, ne(x, 0)",
                     condition.dtype());
  return record(
      "where", compute::where(condition, a, b), {condition, a, b},
      [condition = Saved(condition)](const Tensor& dy, Needs needs) -> Gradients {
        return {Tensor(), needs[1] ? where(condition, dy, 0) : Tensor(), needs[2] ? where(condition, 0, dy) : Tensor()};
      });
}
Tensor where(const Tensor& condition, const Tensor& a, double b) {
  return where(condition, a, number_like("where", a, b));
}
Tensor where(const Tensor& condition, double a, const Tensor& b) {
  return where(condition, number_like("where", b, a), b);
}

}  // namespace tapegrad
