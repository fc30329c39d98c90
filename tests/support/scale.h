// Lists of tensors compared relative to the largest value of each: an element of a gradient is a sum of terms
// that cancel, so rounding leaves errors of the size of the terms, which the largest elements show.
#pragma once
#include <tapegrad/ops.h>
#include <tapegrad/testing.h>

#include <vector>

namespace tapegrad {

inline void expect_near_to_scale(const std::vector<Tensor>& got, const std::vector<Tensor>& want, double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    double largest = 0;
    for (double value : want[i].to(float64).contiguous().to_vector<double>())
      largest = std::max(largest, std::abs(value));
    const double scale = 1 / (1 + largest);
    EXPECT_TENSOR_NEAR(got[i] * scale, want[i] * scale, tolerance) << "result " << i;
  }
}

}  // namespace tapegrad
