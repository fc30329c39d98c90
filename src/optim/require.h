#pragma once
#include <cmath>

#include "core/fail.h"

namespace tapegrad::optim {

/// Throws ValueError "owner: rule, got value" unless the rule holds and the value is finite.
inline void require(bool holds, const char* owner, const char* rule, double value) {
  if (!holds || !std::isfinite(value)) fail<ValueError>(owner, "{}, got {}", rule, value);
}

}  // namespace tapegrad::optim
