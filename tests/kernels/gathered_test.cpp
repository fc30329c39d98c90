// The ways to compute the products of a convolution: two forward ones, which give the same bits, as each result is one chain of
// additions over the taps, and those of the weights' gradient, by tiles and by dot products.
#include "kernels/gemm/gathered.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace tapegrad::kernels {
namespace {

template <class T>
class Gathered : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gathered, Types);

template <class T>
std::vector<T> uniform(std::mt19937& random, int64_t size) {
  std::uniform_real_distribution<T> distribution(-1, 1);
  std::vector<T> values(static_cast<size_t>(size));
  for (T& value : values) value = distribution(random);
  return values;
}

TYPED_TEST(Gathered, HasTheSameBitsByPixelsAndByChannels) {
  using T = TypeParam;
  std::mt19937 random(1);
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
          const std::vector<T> image = uniform<T>(random, (height + 2) * pitch), b = uniform<T>(random, taps * n),
                               bias = uniform<T>(random, n);
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

// Runs of all widths beside those of a vector: the last vector of a run may overlap the one before, which is not counted twice.
TYPED_TEST(Gathered, AddsTheSumsOverAllPixels) {
  using T = TypeParam;
  std::mt19937 random(2);
  for (const int64_t width : {3, 4, 7, 8, 14, 16, 19, 28, 32, 50}) {
    for (const int64_t n : {1, 2, 4, 5, 8, 9, 16, 33}) {
      for (const int64_t taps : {1, 5, 9, 27}) {
        SCOPED_TRACE(testing::Message() << "width " << width << ", " << n << " columns, " << taps << " taps");
        constexpr int64_t height = 3;
        const int64_t pitch = width + 4, pixels = height * width, ldc = (n + 31) / 32 * 32;
        std::vector<int64_t> row, col;
        for (int64_t i = 0; i < taps; ++i) row.push_back(i * 7 % (2 * pitch));
        for (int64_t p = 0; p < pixels; ++p) col.push_back(p / width * pitch + p % width);
        const std::vector<T> image = uniform<T>(random, (height + 2) * pitch), dy = uniform<T>(random, n * pixels),
                             before = uniform<T>(random, taps * ldc);
        std::vector<T> sums = before;
        gemm_gathered_add(Gather{taps, pixels, row.data(), col.data()}, Runs{height, width, 1, 1}, image.data(), n,
                          dy.data(), pixels, sums.data(), ldc);
        for (int64_t i = 0; i < taps; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            long double sum = before[size_t(i * ldc + j)], size = std::fabs(sum);
            for (int64_t p = 0; p < pixels; ++p) {
              const long double term =
                  static_cast<long double>(image[size_t(row[size_t(i)] + col[size_t(p)])]) * dy[size_t(j * pixels + p)];
              sum += term;
              size += std::fabs(term);
            }
            // In any order: Higham (2002), Accuracy and Stability of Numerical Algorithms, equation 4.4.
            const long double bound = (pixels + 1) * size * std::numeric_limits<T>::epsilon() / 2;
            ASSERT_NEAR(sums[size_t(i * ldc + j)], sum, bound) << i << " " << j;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tapegrad::kernels
