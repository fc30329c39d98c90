// Random numbers from a counter-based generator: number i of a stream is a pure function of (seed, stream, i),
// so a tensor gets the same values on every platform and for any number of threads, and a generator is saved
// as three integers.
//
//   manual_seed(7);
//   std::thread worker([&] {
//     manual_seed(7, 1);                 // stream 1: other numbers than the main thread's, the same in every run
//     train(model);
//   });
//
// Source: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", Philox-4x32-10.
#pragma once
#include <array>
#include <cstdint>

#include <tapegrad/state.h>

namespace tapegrad {

/// Ten rounds of Philox: four 32-bit numbers from a 64-bit key and a counter of 128 bits, whose upper half is
/// `high`.
std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter, uint64_t high = 0);

/// A stream of random numbers: `seed` and `stream` choose it and `position` says how far it was read. Streams
/// of one seed have nothing to do with each other: a thread, a worker, a rank has its own.
class Generator final : public Stateful {
 public:
  explicit Generator(uint64_t seed = 0, uint64_t stream = 0) : seed(seed), stream(stream) {}

  /// The key of philox() for this stream: the seed itself for stream 0.
  uint64_t key() const;
  /// Reserves `blocks` counters (four numbers each) and returns the first.
  uint64_t take(uint64_t blocks) {
    const uint64_t first = position;
    position += blocks;
    return first;
  }
  /// 32 random bits.
  uint32_t next_u32() { return philox(key(), take(1))[0]; }
  /// 64 random bits.
  uint64_t next_u64();
  /// Uniform in [0, 1), 53 bits.
  double uniform();
  /// Uniform in [0, n), without bias; n must be positive.
  int64_t below(int64_t n);

  /// "seed", "stream" and "position".
  StateDict state_dict() const override;
  /// **Throws** ValueError if an entry is missing or does not fit; then nothing is changed.
  void load_state_dict(const StateDict& state) override;

  uint64_t seed;
  uint64_t stream;
  uint64_t position = 0;
};

/// The generator that factories, initializers, dropout and shuffling use unless given another. Each thread has
/// its own. The main thread's begins with seed 0 in stream 0. Another thread's begins, where it is first used,
/// with the seed of the last manual_seed(), in a stream that nobody else has: 2^63 + 1, + 2, ... in the order in
/// which threads come to it. So threads that were told nothing draw different numbers, but not the same ones in
/// every run: for that, each calls manual_seed(seed, stream).
Generator& default_generator();

/// Starts the default generator of this thread anew, in a stream that no other thread alive began in. The
/// numbers depend on seed and stream alone, not on the thread.
///
/// **Throws** ValueError where the default generator of another thread alive began with this seed and stream:
/// the two would draw alike. What a thread had is free when it ends or seeds anew.
void manual_seed(uint64_t seed, uint64_t stream = 0);

}  // namespace tapegrad
