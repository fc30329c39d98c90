#include <tapegrad/random.h>

namespace tapegrad {

std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter) {
  uint32_t c0 = uint32_t(counter), c1 = uint32_t(counter >> 32), c2 = 0, c3 = 0;
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

double Generator::uniform() {
  const auto bits = philox(seed, take(1));
  return double(((uint64_t(bits[0]) << 32) | bits[1]) >> 11) * 0x1p-53;
}

int64_t Generator::below(int64_t n) {
  // Numbers past the last whole multiple of n would favour the small ones: draw again.
  const uint64_t limit = ~uint64_t(0) - ~uint64_t(0) % uint64_t(n);
  for (;;) {
    const auto bits = philox(seed, take(1));
    const uint64_t number = (uint64_t(bits[0]) << 32) | bits[1];
    if (number < limit) return int64_t(number % uint64_t(n));
  }
}

Generator& default_generator() {
  thread_local Generator generator;
  return generator;
}

void manual_seed(uint64_t seed) {
  default_generator() = Generator(seed);
}

}  // namespace tapegrad
