#pragma once
#include <cstdint>
#include <vector>

namespace tapegrad::data {

/// Fills `order` with 0 ... n - 1, shuffled in a way that depends on seed and epoch alone.
void sample_order(std::vector<int64_t>& order, int64_t n, bool shuffle, uint64_t seed, int64_t epoch);

}  // namespace tapegrad::data
