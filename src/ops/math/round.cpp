// Whole numbers near x: constant wherever they are differentiable, so they have no gradient. nearbyint() takes the rounding mode
// of the CPU, which nobody changes: the nearest, of two the even one.
#include "ops/elementwise.h"

namespace tapegrad {

Tensor floor(const Tensor& x) {
  return record_nondifferentiable("floor", map("floor", x, [](auto x) { return std::floor(x); }), {x});
}
Tensor ceil(const Tensor& x) {
  return record_nondifferentiable("ceil", map("ceil", x, [](auto x) { return std::ceil(x); }), {x});
}
Tensor round(const Tensor& x) {
  return record_nondifferentiable("round", map("round", x, [](auto x) { return std::nearbyint(x); }), {x});
}
Tensor trunc(const Tensor& x) {
  return record_nondifferentiable("trunc", map("trunc", x, [](auto x) { return std::trunc(x); }), {x});
}

}  // namespace tapegrad
