#include <tapegrad/random.h>

#include <mutex>
#include <set>

#include "core/fail.h"
#include "tensor/state_reader.h"

namespace tapegrad {

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter, uint64_t high) {
  uint32_t c0 = uint32_t(counter), c1 = uint32_t(counter >> 32), c2 = uint32_t(high), c3 = uint32_t(high >> 32);
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53) * c0, p1 = uint64_t(0xCD9E8D57) * c2;
    c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
    c1 = uint32_t(p1);
    c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
    c3 = uint32_t(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

namespace {
uint64_t first_word(const std::array<uint32_t, 4>& block) { return (uint64_t(block[0]) << 32) | block[1]; }
}  // namespace

// A block of the seed that its stream 0 never hands out, since there the upper half of the counter is 0.
uint64_t Generator::key() const { return stream == 0 ? seed : first_word(philox(seed, 0, stream)); }

uint64_t Generator::next_u64() { return first_word(philox(key(), take(1))); }

double Generator::uniform() { return double(next_u64() >> 11) * 0x1p-53; }

int64_t Generator::below(int64_t n) {
  // Numbers past the last whole multiple of n would favor the small ones: draw again.
  const uint64_t limit = ~uint64_t(0) - ~uint64_t(0) % uint64_t(n);
  uint64_t number = next_u64();
  while (number >= limit) number = next_u64();
  return int64_t(number % uint64_t(n));
}

StateDict Generator::state_dict() const {
  return {{"seed", integers({int64_t(seed)})},
          {"stream", integers({int64_t(stream)})},
          {"position", integers({int64_t(position)})}};
}

void Generator::load_state_dict(const StateDict& state) {
  StateReader reader("Generator", state);
  const Tensor new_seed = reader.take("seed", {1}, int64), new_stream = reader.take("stream", {1}, int64);
  const int64_t new_position = reader.counts("position")[0];
  reader.finish();
  seed = uint64_t(new_seed.to_vector<int64_t>()[0]);
  stream = uint64_t(new_stream.to_vector<int64_t>()[0]);
  position = uint64_t(new_position);
}

namespace {

using Start = std::pair<uint64_t, uint64_t>;  // seed and stream

// Where the default generators of the threads alive began: no two at the same place.
struct Starts {
  std::mutex mutex;
  std::set<Start> taken;
  uint64_t last_seed = 0, threads = 0;
};
Starts& starts() {
  static Starts& all = *new Starts;
  return all;
}

struct OfThread {
  OfThread() {
    Starts& all = starts();
    std::lock_guard lock(all.mutex);
    const uint64_t number = all.threads++;
    start = {all.last_seed, number == 0 ? 0 : (uint64_t(1) << 63) + number};
    all.taken.insert(start);
    generator = Generator(start.first, start.second);
  }
  ~OfThread() {
    Starts& all = starts();
    std::lock_guard lock(all.mutex);
    all.taken.erase(start);
  }
  Start start;
  Generator generator;
};
OfThread& of_thread() {
  thread_local OfThread mine;
  return mine;
}

// Before main() begins there is no other thread, so stream 0 is the main thread's.
[[maybe_unused]] const OfThread& of_main_thread = of_thread();

}  // namespace

Generator& default_generator() { return of_thread().generator; }

void manual_seed(uint64_t seed, uint64_t stream) {
  OfThread& mine = of_thread();
  Starts& all = starts();
  std::lock_guard lock(all.mutex);
  if (const Start start = {seed, stream}; start != mine.start) {
    if (!all.taken.insert(start).second)
      fail<ValueError>("manual_seed",
                       "another thread draws from seed {}, stream {}. Hint: give each thread a stream of its "
                       "own, manual_seed({}, 1)",
                       seed, stream, seed);
    all.taken.erase(std::exchange(mine.start, start));
  }
  all.last_seed = seed;
  mine.generator = Generator(seed, stream);
}

}  // namespace tapegrad
