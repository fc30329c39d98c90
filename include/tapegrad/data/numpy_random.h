#pragma once
#include <cstdint>
#include <optional>
#include <random>

#include <tapegrad/tensor.h>

namespace tapegrad::data {

/// NumPy's legacy random numbers, those after np.random.seed(seed), so that the numbers which a course prints
/// come out. For anything else there are randn() and Generator.
///
///     data::NumpyRandom random(0);
///     const Tensor w = 0.01 * random.randn({3, 2});      // np.random.seed(0); w = 0.01 * np.random.randn(3, 2)
///
/// Results are float64 and int64, as NumPy's; `.to(float32)` rounds as `.astype(np.float32)` does.
///
/// **Source** M. Matsumoto, T. Nishimura, "Mersenne twister", ACM TOMACS 8 (1998), of which std::mt19937 has
/// NumPy's seeding; numpy/random/src/legacy/legacy-distributions.c.
class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed) : words_(seed) {}

  /// Uniform in [0, 1): (a 2^26 + b) / 2^53, where a and b are the upper 27 and 26 bits of two words.
  Tensor rand(const Shape& shape);
  /// Standard normal by the polar method of Marsaglia, which makes two of two uniform numbers and keeps one
  /// for the next call.
  Tensor randn(const Shape& shape);
  /// Whole numbers in [low, high), by words cut to as many bits as the range needs until one fits. Throws
  /// ValueError unless low < high <= low + 2^32.
  Tensor randint(int64_t low, int64_t high, const Shape& shape);

 private:
  double uniform();
  double normal();

  std::mt19937 words_;
  std::optional<double> kept_;  // the second of a pair of normal numbers
};

}  // namespace tapegrad::data
