// Images as files hold them, a byte a number.
#pragma once
#include "tensor/impl.h"

namespace tapegrad::compute {

/// Element i is from[i] * scale, a product of doubles rounded once to float32.
Tensor from_bytes(const unsigned char* from, const Shape& shape, double scale);

}  // namespace tapegrad::compute
