#pragma once
#include <chrono>

namespace tapegrad::train {

/// Seconds, since whenever.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace tapegrad::train
