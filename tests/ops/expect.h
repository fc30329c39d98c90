// What the tests of operations share.
#pragma once
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <vector>

#include "support/message.h"

namespace tapegrad {

/// The elements of `got`, float64, against `want` in row-major order.
inline void expect_near(const Tensor& got, const std::vector<double>& want, double tolerance = 1e-12) {
  const std::vector<double> values = got.to_vector<double>();
  ASSERT_EQ(values.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(values[i], want[i], tolerance) << "at " << i;
}

inline Tensor gaussian(const Shape& shape) { return randn(shape, {.dtype = float64}); }

}  // namespace tapegrad
