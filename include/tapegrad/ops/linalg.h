// File: ops/linalg.h
//
// Products of vectors and matrices.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {}  // namespace tapegrad
