#include "compute/arrays.h"
#include "compute/elementwise.h"

namespace tapegrad::compute {

namespace {

template <class F>
void calculate(const char* op, const Tensor& a, const Tensor& b, const Tensor& y, F f) {
  dispatch_number(op, y.dtype(), [&]<class T>(T) { map2_into<T, T, T>(a, b, y, f); });
}

void add_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  calculate("add", a, b, y, [](auto a, auto b) { return a + b; });
}
void sub_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  calculate("sub", a, b, y, [](auto a, auto b) { return a - b; });
}
void mul_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  calculate("mul", a, b, y, [](auto a, auto b) { return a * b; });
}
void div_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  detail::dispatch_float("div", y.dtype(),
                         [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a / b; }); });
}

}  // namespace

constinit const Arithmetic add{"add", add_into}, sub{"sub", sub_into}, mul{"mul", mul_into}, div{"div", div_into};

Tensor Arithmetic::operator()(const Tensor& a, const Tensor& b) const {
  Tensor y = new_result(name, a, b, a.dtype());
  into(a, b, y);
  return y;
}

void accumulate(Tensor& a, const Tensor& b) {
  add_into(a, b, a);
  ++a.impl()->storage->version;
}

void scale_in_place(Tensor& x, double factor) {
  detail::dispatch_float("scale", x.dtype(),
                         [&]<class T>(T) { map_into<T, T>(x, x, [factor = T(factor)](T x) { return x * factor; }); });
  ++x.impl()->storage->version;
}

void clamp_in_place(Tensor& x, double limit) {
  detail::dispatch_float("clamp", x.dtype(), [&]<class T>(T) {
    // A comparison with NaN is false and keeps it.
    map_into<T, T>(x, x, [high = T(limit)](T x) { return x > high ? high : x < -high ? -high : x; });
  });
  ++x.impl()->storage->version;
}

}  // namespace tapegrad::compute
