#include "compute/arithmetic.h"

#include "compute/elementwise.h"

namespace tapegrad::compute {

void add_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_number("add", y.dtype(),
                  [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a + b; }); });
}
void sub_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_number("sub", y.dtype(),
                  [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a - b; }); });
}
void mul_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  dispatch_number("mul", y.dtype(),
                  [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a * b; }); });
}
void div_into(const Tensor& a, const Tensor& b, const Tensor& y) {
  detail::dispatch_float("div", y.dtype(),
                         [&]<class T>(T) { map2_into<T, T, T>(a, b, y, [](T a, T b) { return a / b; }); });
}

namespace {
using Into = void (*)(const Tensor& a, const Tensor& b, const Tensor& y);

Tensor new_from(const char* op, const Tensor& a, const Tensor& b, Into into) {
  Tensor y = new_result(op, a, b, a.dtype());
  into(a, b, y);
  return y;
}
}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return new_from("add", a, b, add_into);
}
Tensor sub(const Tensor& a, const Tensor& b) {
  return new_from("sub", a, b, sub_into);
}
Tensor mul(const Tensor& a, const Tensor& b) {
  return new_from("mul", a, b, mul_into);
}
Tensor div(const Tensor& a, const Tensor& b) {
  return new_from("div", a, b, div_into);
}

void accumulate(Tensor& a, const Tensor& b) {
  add_into(a, b, a);
  ++a.impl()->storage->version;
}

void scale_in_place(Tensor& x, double factor) {
  detail::dispatch_float("scale", x.dtype(), [&]<class T>(T) {
    map_into<T, T>(x, x, [factor = T(factor)](T x) { return x * factor; });
  });
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
