#include "ops/operations.h"

namespace tapegrad {

// The functions that samples(name) calls; unary and binary ones need none.
#define TAPEGRAD_OP(name, ...) __VA_ARGS__
#define unary(...)
#define unary_away(...)
#define binary(...)
#define samples(name) Samples name##_samples();
#include "ops/ops.def"
#undef TAPEGRAD_OP
#undef unary
#undef unary_away
#undef binary
#undef samples

// A function may be overloaded, so it is called by name.
#define TAPEGRAD_OP(name, ...) {#name, []() -> Samples { return __VA_ARGS__; }},
#define unary(f, low, high) unary_samples([](const Tensor& x) { return f(x); }, low, high)
#define unary_away(f, low, high, ...) unary_samples([](const Tensor& x) { return f(x); }, low, high, __VA_ARGS__)
#define binary(f, low_a, high_a, low_b, high_b) \
  binary_samples([](const Tensor& a, const Tensor& b) { return f(a, b); }, low_a, high_a, low_b, high_b)
#define samples(name) name##_samples()
const std::vector<Operation>& all_operations() {
  static const std::vector<Operation> operations = {
#include "ops/ops.def"
  };
  return operations;
}
#undef TAPEGRAD_OP
#undef unary
#undef unary_away
#undef binary
#undef samples

Samples samples_of(const Operation& operation) {
  restart_samples();
  return operation.make();
}

}  // namespace tapegrad
