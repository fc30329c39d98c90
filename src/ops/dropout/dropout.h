#pragma once
#include <tapegrad/random.h>

#include "compute/arrays.h"

namespace tapegrad {

/// The mask of n elements that drops each with probability p, drawn from the generator, or from default_generator() if it
/// is null.
compute::DropoutMask draw_mask(double p, int64_t n, Generator* generator);

}  // namespace tapegrad
