// Arithmetic on two tensors, or on a tensor and a number, with NumPy's broadcasting: shapes are compared from
// the last axis; sizes must be equal, or one of them 1 or missing.
//
// **Throws** (all of them) ShapeError if the shapes do not broadcast, DtypeError if the dtypes differ. int64
// tensors are added, subtracted and multiplied too, without gradient and with whole numbers only; to divide,
// convert them.
// **Gradient**: summed over the axes along which an input was repeated.
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
/// y = a / b, floating only.   da = dy / b, db = -dy y / b. Dividing by 0 gives an infinity or NaN, as in
/// IEEE 754.
Tensor div(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, double b);
Tensor div(double a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, b); }
inline Tensor operator-(double a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator/(double a, const Tensor& b) { return div(a, b); }

/// Changes `a`, which may be a view of part of another tensor, in place: for updates written by hand, after the tape's
/// scope. The right side broadcasts to a's shape.
///
///   w -= 0.1 * w.grad();
///
/// **Throws** AutogradError where a tape would miss the change: for a tensor that a live tape recorded, for a
/// leaf while a tape records, and for a right side that needs a gradient. ShapeError if `a` is an expanded
/// view, or would have to grow. A tape that saved the old values refuses to go backward.
Tensor& operator+=(Tensor& a, const Tensor& b);
Tensor& operator-=(Tensor& a, const Tensor& b);
Tensor& operator*=(Tensor& a, const Tensor& b);
Tensor& operator/=(Tensor& a, const Tensor& b);
Tensor& operator+=(Tensor& a, double b);
Tensor& operator-=(Tensor& a, double b);
Tensor& operator*=(Tensor& a, double b);
Tensor& operator/=(Tensor& a, double b);

}  // namespace tapegrad
