// File: ops/arithmetic.h
//
// Arithmetic on two tensors, or on a tensor and a number, with NumPy's broadcasting: shapes are compared from
// the last axis; sizes must be equal, or one of them 1 or missing.
//
// **Throws** (all of them) ShapeError if the shapes do not broadcast, DtypeError if the dtypes differ or are
// not floating. **Gradient**: summed over the axes along which an input was repeated.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// y = a + b.   da = dy, db = dy.
Tensor add(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, double b);
/// y = a - b.   da = dy, db = -dy.
Tensor sub(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, double b);
Tensor sub(double a, const Tensor& b);
/// y = -x.   dx = -dy.
Tensor neg(const Tensor& x);
/// y = a * b.   da = dy b, db = dy a.
Tensor mul(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, double b);

inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
inline Tensor operator+(const Tensor& a, double b) {
  return add(a, b);
}
inline Tensor operator+(double a, const Tensor& b) {
  return add(b, a);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return sub(a, b);
}
inline Tensor operator-(const Tensor& a, double b) {
  return sub(a, b);
}
inline Tensor operator-(double a, const Tensor& b) {
  return sub(a, b);
}
inline Tensor operator-(const Tensor& x) {
  return neg(x);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
  return mul(a, b);
}
inline Tensor operator*(const Tensor& a, double b) {
  return mul(a, b);
}
inline Tensor operator*(double a, const Tensor& b) {
  return mul(b, a);
}

}  // namespace tapegrad
