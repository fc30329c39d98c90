// The two ways to compute a convolution's product give the same bits: each result is one chain of additions over the taps.
#include "kernels/gemm/gathered.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tapegrad::kernels {
namespace {

template <class T>
class Gathered : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gathered, Types);

TYPED_TEST(Gathered, HasTheSameBitsByPixelsAndByChannels) {
  using T = TypeParam;
  std::mt19937 random(1);
  std::uniform_real_distribution<T> distribution(-1, 1);
  const auto uniform = [&](int64_t size) {
    std::vector<T> values(static_cast<size_t>(size));
    for (T& value : values) value = distribution(random);
    return values;
  };
  for (const int64_t width : {16, 19, 28, 32, 50}) {
    for (const int64_t n : {4, 5, 8, 9, 16, 33}) {
      for (const int64_t taps : {1, 9, 300}) {
        for (const bool has_bias : {false, true}) {
          SCOPED_TRACE(testing::Message() << "width " << width << ", " << n << " columns, " << taps << " taps");
          constexpr int64_t height = 3;
          const int64_t pitch = width + 4, rows = height * width;
          std::vector<int64_t> row, col, at;
          for (int64_t i = 0; i < rows; ++i) {
            row.push_back(i / width * pitch + i % width);
            at.push_back(2 * i - i % width);  // every second row of the result
          }
          for (int64_t p = 0; p < taps; ++p) col.push_back(p * 7 % (2 * pitch));
          const Gather gather{rows, taps, row.data(), col.data()};
          const std::vector<T> image = uniform((height + 2) * pitch), b = uniform(taps * n), bias = uniform(n);
          const T* shift = has_bias ? bias.data() : nullptr;
          std::vector<T> packed(static_cast<size_t>(packed_size<T>(taps, n))), y(static_cast<size_t>(n * 2 * rows)),
              z = y;
          gemm_gathered(gather, image.data(), pack_b(false, taps, n, b.data(), n, packed.data()), shift, y.data(),
                        2 * rows, at.data());
          gemm_pixels(gather, Runs{height, width, 1, 1}, image.data(), n, b.data(), shift, z.data(), 2 * rows,
                      at.data());
          EXPECT_EQ(y, z);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tapegrad::kernels
