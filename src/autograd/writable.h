// Whether a tensor may be changed in place.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::detail {

/// Throws AutogradError, saying what to write instead, if a live tape made x or would miss the change of this
/// leaf; ShapeError for a strided view.
void check_writable(const char* op, const Tensor& x);

}  // namespace tapegrad::detail
