// Comparisons, logic on the masks that they make, and where(), which chooses by a mask.
//
// Masks are boolean tensors and have no gradient. Two inputs broadcast as in arithmetic.h. **Throws** (all of them)
// ShapeError if they do not, DtypeError if the dtypes differ, if a number does not fit the dtype, or if logic is asked of
// what is no mask. Every dtype is compared; a comparison with NaN is false, but for ne().
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// a == b, elementwise. There is no operator ==: it could not be used as one. NaN equals nothing, as in C++.
Tensor eq(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, double b);
/// a != b, also where one is NaN.
Tensor ne(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, double b);
/// a < b.
Tensor lt(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, double b);
/// a <= b.
Tensor le(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, double b);
/// a > b.
Tensor gt(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, double b);
/// a >= b.
Tensor ge(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, double b);

inline Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor operator<(const Tensor& a, double b) { return lt(a, b); }
inline Tensor operator<(double a, const Tensor& b) { return gt(b, a); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor operator<=(const Tensor& a, double b) { return le(a, b); }
inline Tensor operator<=(double a, const Tensor& b) { return ge(b, a); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor operator>(const Tensor& a, double b) { return gt(a, b); }
inline Tensor operator>(double a, const Tensor& b) { return lt(b, a); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
inline Tensor operator>=(const Tensor& a, double b) { return ge(a, b); }
inline Tensor operator>=(double a, const Tensor& b) { return le(b, a); }

/// Where both of two masks are true.
Tensor logical_and(const Tensor& a, const Tensor& b);
/// Where either of two masks is true, or both are.
Tensor logical_or(const Tensor& a, const Tensor& b);
/// Where just one of two masks is true.
Tensor logical_xor(const Tensor& a, const Tensor& b);
/// Where a mask is false.
Tensor logical_not(const Tensor& x);

/// Where x is neither infinite nor NaN; x floating.
Tensor isfinite(const Tensor& x);
/// Where x is NaN; x floating.
Tensor isnan(const Tensor& x);
/// Whether any element of a mask is true, as a boolean tensor without axes; false for an empty one.
Tensor any(const Tensor& x);
/// Whether all elements of a mask are true; true for an empty one.
Tensor all(const Tensor& x);

/// y = a where the condition holds, else b. `condition` is boolean; all three broadcast, and a number takes the dtype of the
/// tensor. **Throws** DtypeError for a condition that is no mask.
/// **Gradient**: da = dy where the condition holds, else 0; db the other way round. What was not chosen gets
/// 0, also where it is NaN or infinite.
///
///   where(x > 0, x, 0)
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, double b);
Tensor where(const Tensor& condition, double a, const Tensor& b);

}  // namespace tapegrad
