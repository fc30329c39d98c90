// y = a + b and its kin, into a y that is there already: a new tensor, or a itself where it is changed in
// place.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::detail {

/// y is contiguous, of the shape that a and b broadcast to, and all have one dtype. y may be a or b, but must
/// not overlap one in another way.
void add_into(const Tensor& a, const Tensor& b, const Tensor& y);
void sub_into(const Tensor& a, const Tensor& b, const Tensor& y);
void mul_into(const Tensor& a, const Tensor& b, const Tensor& y);
void div_into(const Tensor& a, const Tensor& b, const Tensor& y);

}  // namespace tapegrad::detail
