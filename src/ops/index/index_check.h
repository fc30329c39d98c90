// The check that every operation on indices makes.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// Throws DtypeError unless `index` is int64, IndexError for the first element outside [0, size).
void check_indices(const char* op, const Tensor& index, int64_t size);

}  // namespace tapegrad
