// numpy.random as courses seed it, np.random.seed(s): MT19937, of which rand() takes two words and randint() one, cut to as
// many bits as the range needs until it fits.
#pragma once
#include <tapegrad/tapegrad.h>

#include <bit>
#include <random>
#include <vector>

namespace tapegrad {

class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed) : words_(seed) {}

  /// np.random.rand(*shape), float64.
  Tensor rand(const Shape& shape) {
    std::vector<double> values(size_t(shape.numel()));
    for (double& value : values) {
      const uint32_t high = uint32_t(words_()) >> 5, low = uint32_t(words_()) >> 6;
      value = (high * 67108864.0 + low) / 9007199254740992.0;
    }
    return from_vector(values, shape);
  }
  /// np.random.randint(0, end, shape).
  Tensor randint(int64_t end, const Shape& shape) {
    const uint32_t mask = std::bit_ceil(uint32_t(end)) - 1;
    std::vector<int64_t> values(size_t(shape.numel()));
    for (int64_t& value : values) do
        value = int64_t(uint32_t(words_()) & mask);
      while (value >= end);
    return from_vector(values, shape);
  }

 private:
  std::mt19937 words_;
};

}  // namespace tapegrad
