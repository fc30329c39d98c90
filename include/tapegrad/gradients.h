// What a backward function returns, and what it is asked for: also by the kernels, which know no tape.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad {

/// What a backward function returns: one gradient per input.
using Gradients = Tensors;

/// What the tape asks of a backward function: the gradients of which inputs; it may skip the others.
struct Needs {
  uint64_t bits = ~uint64_t(0);
  /// Whether the function may be called again. If not, it may write its results to memory that it alone keeps.
  bool again = true;
  bool operator[](size_t input) const { return input >= 64 || (bits >> input & 1); }
};

}  // namespace tapegrad
