// The adding problem: T steps of a number from U[0, 1) and a mark, which is 1 at two steps, one in each half. The target is the sum of
// the two marked numbers. See 09_adding_problem.cpp.
#pragma once
#include <tapegrad/tapegrad.h>

#include <vector>

/// x [T, B, 2], y [B, 1]
inline tapegrad::data::Batch adding_sequences(int64_t length, int64_t batch_size, tapegrad::Generator& random) {
  const int64_t half = length / 2;
  std::vector<float> x(size_t(length * batch_size * 2), 0), y(size_t(batch_size), 0);
  for (int64_t b = 0; b < batch_size; ++b) {
    const int64_t marked[] = {random.below(half), half + random.below(length - half)};
    for (int64_t t = 0; t < length; ++t) {
      const size_t at = size_t((t * batch_size + b) * 2);
      x[at] = float(random.uniform());
      if (t != marked[0] && t != marked[1]) continue;
      x[at + 1] = 1;
      y[size_t(b)] += x[at];
    }
  }
  return {tapegrad::from_vector(x, {length, batch_size, 2}), tapegrad::from_vector(y, {batch_size, 1})};
}

/// The squared error of one who remembers nothing and answers 1: the variance of the sum.
constexpr double adding_memoryless = 1.0 / 6;
