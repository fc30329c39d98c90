#pragma once
#include <cstdint>

namespace tapegrad::datasets {

/// What a compressed file may become: a few bytes can say that they are terabytes.
struct Limits {
  uint64_t most_bytes = uint64_t(1) << 30;  ///< that come out of one file
};

}  // namespace tapegrad::datasets
