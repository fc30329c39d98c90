// The random mask of dropout, which is not kept: it is a function of a key and a counter, and is made again where it is
// asked for. Philox makes four words for one counter; sixteen counters beside each other, one a lane, make the words of 64
// elements, so the mask does not depend on the vector width or on the number of threads. See random.h.
#pragma once
#include <cstdint>

namespace tapegrad::kernels {

struct DropoutMask {
  uint64_t key, first;  // of Philox; its counters begin at `first`
  uint32_t keep;        // an element stays if its word is below
  double scale;         // of what stays
};

constexpr int64_t dropout_lanes = 16, dropout_block = 4 * dropout_lanes;  // counters and elements of a block

/// The words of the block whose first element is `from`, a multiple of dropout_block: word w of its counter + lane is that of
/// element 16 w + lane. See philox(). To be called inside simd().
inline void dropout_words(const DropoutMask& mask, int64_t from, uint32_t* words) {
  uint32_t *c0 = words, *c1 = words + dropout_lanes, *c2 = words + 2 * dropout_lanes, *c3 = words + 3 * dropout_lanes;
  const uint64_t first = mask.first + static_cast<uint64_t>(from / dropout_block * dropout_lanes);
  for (int64_t lane = 0; lane < dropout_lanes; ++lane) {
    const uint64_t counter = first + static_cast<uint64_t>(lane);
    c0[lane] = static_cast<uint32_t>(counter);
    c1[lane] = static_cast<uint32_t>(counter >> 32);
    c2[lane] = c3[lane] = 0;
  }
  uint32_t k0 = static_cast<uint32_t>(mask.key), k1 = static_cast<uint32_t>(mask.key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int64_t lane = 0; lane < dropout_lanes; ++lane) {
      const uint64_t p0 = uint64_t{0xD2511F53} * c0[lane], p1 = uint64_t{0xCD9E8D57} * c2[lane];
      c0[lane] = static_cast<uint32_t>(p1 >> 32) ^ c1[lane] ^ k0;
      c1[lane] = static_cast<uint32_t>(p1);
      c2[lane] = static_cast<uint32_t>(p0 >> 32) ^ c3[lane] ^ k1;
      c3[lane] = static_cast<uint32_t>(p0);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

}  // namespace tapegrad::kernels
