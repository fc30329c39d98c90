#include <tapegrad/random.h>

#include <atomic>

#include "tensor/state_reader.h"

namespace tapegrad {

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter, uint64_t high) {
  uint32_t c0 = uint32_t(counter), c1 = uint32_t(counter >> 32), c2 = uint32_t(high),
           c3 = uint32_t(high >> 32);
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

// A block of the seed that its stream 0 never hands out, since there the upper half of the counter is 0.
uint64_t Generator::key() const {
  if (stream == 0) return seed;
  const auto words = philox(seed, 0, stream);
  return (uint64_t(words[0]) << 32) | words[1];
}

double Generator::uniform() {
  const auto bits = philox(key(), take(1));
  return double(((uint64_t(bits[0]) << 32) | bits[1]) >> 11) * 0x1p-53;
}

int64_t Generator::below(int64_t n) {
  // Numbers past the last whole multiple of n would favour the small ones: draw again.
  const uint64_t limit = ~uint64_t(0) - ~uint64_t(0) % uint64_t(n);
  for (;;) {
    const auto bits = philox(key(), take(1));
    const uint64_t number = (uint64_t(bits[0]) << 32) | bits[1];
    if (number < limit) return int64_t(number % uint64_t(n));
  }
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

std::atomic<uint64_t> last_seed = 0, next_stream = 0;
// Before main() begins there is no other thread, so stream 0 is the main thread's.
[[maybe_unused]] const Generator& of_main_thread = default_generator();

}  // namespace

Generator& default_generator() {
  thread_local Generator generator(last_seed, next_stream++);
  return generator;
}

void manual_seed(uint64_t seed, uint64_t stream) {
  default_generator() = Generator(seed, stream);
  last_seed = seed;
}

}  // namespace tapegrad
