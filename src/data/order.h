#pragma once
#include <tapegrad/random.h>

#include <numeric>
#include <utility>
#include <vector>

namespace tapegrad::data {

/// Fills `order` with 0 ... n - 1, shuffled in a way that depends on seed and epoch alone.
///
/// The shuffle of Fisher and Yates (Knuth, The Art of Computer Programming, volume 2, algorithm P) on a stream
/// of its own for each epoch: Philox of (seed, epoch) is the stream's key, so the order of epoch 7 is known
/// without those before it.
inline void sample_order(std::vector<int64_t>& order, int64_t n, bool shuffle, uint64_t seed, int64_t epoch) {
  order.resize(size_t(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (!shuffle) return;
  const auto key = philox(seed, uint64_t(epoch));
  Generator generator((uint64_t(key[0]) << 32) | key[1]);
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[size_t(i)], order[size_t(generator.below(i + 1))]);
}

}  // namespace tapegrad::data
