// Philox makes four words for one counter; sixteen counters beside each other, one a lane, make the words of 64
// elements, so the mask does not depend on the vector width or on the number of threads. See random.h.
#include <algorithm>

#include "compute/arrays.h"
#include "compute/elementwise.h"

namespace tapegrad::compute {

namespace {

constexpr int64_t kLanes = 16, kBlock = 4 * kLanes;  // counters and elements of a block

// The words of one block: word w of counter first + lane is that of element 16 w + lane. See philox().
inline void block_words(uint64_t key, uint64_t first, uint32_t* words) {
  uint32_t *c0 = words, *c1 = words + kLanes, *c2 = words + 2 * kLanes, *c3 = words + 3 * kLanes;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    c0[lane] = uint32_t(first + uint64_t(lane));
    c1[lane] = uint32_t((first + uint64_t(lane)) >> 32);
    c2[lane] = c3[lane] = 0;
  }
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const uint64_t p0 = uint64_t(0xD2511F53) * c0[lane], p1 = uint64_t(0xCD9E8D57) * c2[lane];
      c0[lane] = uint32_t(p1 >> 32) ^ c1[lane] ^ k0;
      c1[lane] = uint32_t(p1);
      c2[lane] = uint32_t(p0 >> 32) ^ c3[lane] ^ k1;
      c3[lane] = uint32_t(p0);
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
}

// Elements [begin, end), where begin is a multiple of the block.
template <class T>
void apply(const DropoutMask& mask, int64_t begin, int64_t end, const T* x, T* y) {
  kernels::simd([=] {
    const T scale = T(mask.scale);
    uint32_t words[kBlock];
    for (int64_t from = begin; from < end; from += kBlock) {
      block_words(mask.key, mask.first + uint64_t(from / kBlock * kLanes), words);
      const int64_t n = std::min(kBlock, end - from);
      TAPEGRAD_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) y[from + i] = x[from + i] * (words[i] < mask.keep ? scale : T(0));
    }
  });
}

}  // namespace

uint64_t dropout_counters(int64_t n) { return uint64_t((n + kBlock - 1) / kBlock * kLanes); }

Tensor dropout(const Tensor& x, const DropoutMask& mask) {
  const Tensor from = detail::plain(x);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float("dropout", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    static_assert(kElementwiseGrain % kBlock == 0);
    parallel_rows(x.numel(), kElementwiseGrain,
                  [=](int64_t begin, int64_t end) { apply(mask, begin, end, in, out); });
  });
  return y;
}

}  // namespace tapegrad::compute
