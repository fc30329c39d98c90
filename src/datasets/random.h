// The streams of random numbers of transforms and samplers.
#pragma once
#include <tapegrad/random.h>

namespace tapegrad::datasets {

enum class Use : uint64_t { transform = 1, sampler, buffer };  // a loader's order is philox(seed, epoch)

/// The generator of a sample in an epoch. Two uses of one seed have nothing to do with each other.
inline Generator generator_of(Use use, uint64_t seed, int64_t epoch, int64_t index = 0) {
  const auto words = philox(seed, uint64_t(epoch), uint64_t(use));
  return Generator(uint64_t(words[0]) << 32 | words[1], uint64_t(index));
}

}  // namespace tapegrad::datasets
