// File: random.h
//
// Random numbers from a counter-based generator: number i of a stream is a pure function of (seed, i), so a
// tensor gets the same values on every platform and for any number of threads, and a generator is saved as
// two integers.
//
// Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", Philox-4x32-10.
#pragma once
#include <array>
#include <cstdint>

namespace tapegrad {

/// Ten rounds of Philox: four 32-bit numbers from a 64-bit key and a 64-bit counter.
std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter);

/// A stream of random numbers: `seed` chooses it and `position` says how far it was read.
class Generator {
 public:
  explicit Generator(uint64_t seed = 0) : seed(seed) {}

  /// Reserves `blocks` counters (four numbers each) and returns the first.
  uint64_t take(uint64_t blocks) {
    const uint64_t first = position;
    position += blocks;
    return first;
  }
  uint32_t next_u32() { return philox(seed, take(1))[0]; }
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [0, n), without bias; n must be positive.
  int64_t below(int64_t n);

  uint64_t seed;
  uint64_t position = 0;
};

/// The generator that factories, initializers, dropout and shuffling use unless given another. One a thread,
/// so that two threads that train do not disturb each other; every thread's starts with seed 0.
Generator& default_generator();

/// Starts the default generator of this thread anew.
void manual_seed(uint64_t seed);

}  // namespace tapegrad
