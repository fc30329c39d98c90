// A look at the numbers of a tensor as a whole.
#pragma once
#include <tapegrad/tensor.h>

#include <string>

namespace tapegrad::compute {

/// Whether no element is NaN or infinite; true for int64 and boolean.
bool all_finite(const Tensor& x);
/// "[-1.2, 3.4]", the range of the finite values.
std::string range_text(const Tensor& x);
/// The sum of the squares of a floating tensor, added up in float64: the same for any number of threads.
double sum_of_squares(const Tensor& x);

}  // namespace tapegrad::compute
