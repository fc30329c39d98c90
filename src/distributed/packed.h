// A state as bytes, for another rank of the same program: of each tensor its name, dtype and shape, and the numbers.
#pragma once
#include <tapegrad/state.h>

namespace tapegrad::distributed {

std::string pack(const StateDict& state);
StateDict unpack(const std::string& packed);

/// 64 bits that differ, but for one in 2^64, where a name or a number does.
uint64_t hash_of(const StateDict& state);

}  // namespace tapegrad::distributed
