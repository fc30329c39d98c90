#include <tapegrad/data/numpy_random.h>

#include <bit>
#include <cmath>
#include <utility>

#include "compute/elementwise.h"
#include "core/fail.h"

namespace tapegrad::data {

double NumpyRandom::uniform() {
  const double a = double(words_() >> 5), b = double(words_() >> 6);
  return (a * 0x1p26 + b) / 0x1p53;
}

// A point (u, v) in the circle of radius 1, without its middle: r2 = u^2 + v^2 is uniform in (0, 1), and
// (u, v) sqrt(-2 ln(r2) / r2) are two independent normal numbers.
double NumpyRandom::normal() {
  if (kept_) return *std::exchange(kept_, std::nullopt);
  double u, v, r2;
  do {
    u = 2 * uniform() - 1;
    v = 2 * uniform() - 1;
    r2 = u * u + v * v;
  } while (r2 >= 1 || r2 == 0);
  const double f = std::sqrt(-2 * std::log(r2) / r2);
  kept_ = f * u;
  return f * v;
}

Tensor NumpyRandom::rand(const Shape& shape) {
  return compute::generate(shape, float64, [&](int64_t) { return uniform(); });
}

Tensor NumpyRandom::randn(const Shape& shape) {
  return compute::generate(shape, float64, [&](int64_t) { return normal(); });
}

Tensor NumpyRandom::randint(int64_t low, int64_t high, const Shape& shape) {
  const uint64_t last = uint64_t(high) - uint64_t(low) - 1;
  if (low >= high || last > 0xffffffff)
    fail<ValueError>("randint", "the range must be low < high <= low + 2^32, got {} and {}", low, high);
  if (last == 0) return compute::generate(shape, int64, [&](int64_t) { return low; });  // takes no word
  const uint64_t mask = std::bit_ceil(last + 1) - 1;
  return compute::generate(shape, int64, [&](int64_t) {
    uint64_t value;
    do value = words_() & mask;
    while (value > last);
    return low + int64_t(value);
  });
}

}  // namespace tapegrad::data
