// Multiplication by a random mask that is not kept: it is a function of a key and a counter.
#pragma once
#include <tapegrad/tensor.h>

#include <cstdint>

namespace tapegrad::compute {

struct DropoutMask {
  uint64_t key, first;  // of Philox; its counters begin at `first`
  uint32_t keep;        // an element stays if its word is below
  double scale;         // of what stays
};

/// How many counters a mask of n elements takes.
uint64_t dropout_counters(int64_t n);

/// y = x scale where the mask keeps an element, else 0.
Tensor dropout(const Tensor& x, const DropoutMask& mask);

}  // namespace tapegrad::compute
