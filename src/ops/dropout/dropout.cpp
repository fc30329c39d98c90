// y = m x / (1 - p), where each element of the mask m is 1 with probability 1 - p, else 0, so that the mean
// stays.
//   dx = m dy / (1 - p): the same operation, with the same mask, on dy
//
// Nothing is saved: the mask of element i is a function of (seed, position, i), and computing it again costs
// less than reading it from memory. Philox makes four words for one counter; sixteen counters beside each
// other, one a lane, make the words of 64 elements, so the mask does not depend on the vector width or on the
// number of threads. Sources: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, "Dropout: a
// simple way to prevent neural networks from overfitting", JMLR 15, section 4 and 10 (scaling in training);
// random.h for Philox.
#include <tapegrad/random.h>

#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

constexpr int64_t kLanes = 16, kBlock = 4 * kLanes;  // counters and elements of a block

struct Mask {
  uint64_t seed, first;  // the generator's counters begin here
  uint32_t keep;         // an element stays if its word is below
  double scale;
};

// The words of one block: word w of counter first + lane is that of element 16 w + lane. See philox().
inline void block_words(uint64_t seed, uint64_t first, uint32_t* words) {
  uint32_t *c0 = words, *c1 = words + kLanes, *c2 = words + 2 * kLanes, *c3 = words + 3 * kLanes;
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    c0[lane] = uint32_t(first + uint64_t(lane));
    c1[lane] = uint32_t((first + uint64_t(lane)) >> 32);
    c2[lane] = c3[lane] = 0;
  }
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
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
void apply(const Mask& mask, int64_t begin, int64_t end, const T* x, T* y) {
  kernels::simd([=] {
    const T scale = T(mask.scale);
    uint32_t words[kBlock];
    for (int64_t from = begin; from < end; from += kBlock) {
      block_words(mask.seed, mask.first + uint64_t(from / kBlock * kLanes), words);
      const int64_t n = std::min(kBlock, end - from);
      TAPEGRAD_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) y[from + i] = x[from + i] * (words[i] < mask.keep ? scale : T(0));
    }
  });
}

Tensor masked(const Tensor& x, const Mask& mask) {
  const detail::Contiguous from(x);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float("dropout", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from.get());
    T* out = detail::mutable_ptr<T>(y);
    static_assert(kElementwiseGrain % kBlock == 0);
    parallel_rows(x.numel(), kElementwiseGrain,
                  [=](int64_t begin, int64_t end) { apply(mask, begin, end, in, out); });
  });
  return record("dropout", y, {x}, [mask](const Tensor& dy) -> Gradients { return {masked(dy, mask)}; });
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training, Generator* generator) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("dropout", "p must be in [0, 1], got {}", p);
  if (!is_floating(x.dtype())) detail::fail_not_floating("dropout", x.dtype());
  if (!training || p == 0) return x;
  if (p == 1) return x * 0.0;
  if (!generator) generator = &default_generator();
  const uint64_t first = generator->take(uint64_t((x.numel() + kBlock - 1) / kBlock * kLanes));
  const double keep = std::min((1 - p) * 0x1p32, double(~uint32_t(0)));
  return masked(x, {generator->key(), first, uint32_t(keep), 1 / (1 - p)});
}

}  // namespace tapegrad
