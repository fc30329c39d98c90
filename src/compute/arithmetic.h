// The four operations of arithmetic, with broadcasting, into a new tensor or one that is there already.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::compute {

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);

/// y is contiguous, of the shape that a and b broadcast to, and all have one dtype. y may be a or b, but must
/// not overlap one in another way.
void add_into(const Tensor& a, const Tensor& b, const Tensor& y);
void sub_into(const Tensor& a, const Tensor& b, const Tensor& y);
void mul_into(const Tensor& a, const Tensor& b, const Tensor& y);
void div_into(const Tensor& a, const Tensor& b, const Tensor& y);

/// a += b, as a change of a.
void accumulate(Tensor& a, const Tensor& b);

/// x *= factor, and x = min(max(x, -limit), limit) where NaN stays NaN, for a contiguous floating x.
void scale_in_place(Tensor& x, double factor);
void clamp_in_place(Tensor& x, double limit);

}  // namespace tapegrad::compute
