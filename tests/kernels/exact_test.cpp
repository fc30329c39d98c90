// Exact mode: products are one chain of fused multiply-adds a piece of k, whatever the instruction set.
#include <gtest/gtest.h>
#include <tapegrad/exact.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/gemm/fma.h"
#include "kernels/gemm/gemm.h"

namespace tapegrad::kernels {
namespace {

TEST(RoundedOnce, IsTheFusedMultiplyAddOfTheCLibrary) {
  std::mt19937 engine(1);
  const auto any = [&] { return std::bit_cast<float>(static_cast<uint32_t>(engine())); };
  const auto near_one = [&] {
    return std::bit_cast<float>(static_cast<uint32_t>(0x3f800000u + (engine() & 0xffffffu)));
  };
  for (int i = 0; i < 300'000; ++i) {
    // Bits of any kind, infinities and NaN among them; products that nearly cancel; ties of the second rounding.
    const float a = i % 3 == 0 ? any() : near_one(), b = i % 3 == 0 ? any() : near_one();
    const float c = i % 3 == 0 ? any() : i % 3 == 1 ? -a * b : std::ldexp(near_one(), int(engine() % 60) - 30);
    const float expected = std::fma(a, b, c), got = rounded_once(a, b, c);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(got)) << a << " " << b << " " << c;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(expected)) << a << " " << b << " " << c;
    }
  }
}

class ExactProducts : public testing::Test {
 protected:
  void SetUp() override { set_exact(true); }
  void TearDown() override { set_exact(before_); }

 private:
  bool before_ = tapegrad::is_exact();
};

TEST_F(ExactProducts, AreOneChainOverKForEachElement) {
  std::mt19937 engine(2);
  std::normal_distribution<float> normal;
  for (const bool trans_a : {false, true})
    for (const bool trans_b : {false, true})
      for (const int64_t m : {1, 2, 5, 8, 33, 70})
        for (const int64_t n : {1, 7, 16, 33, 100})
          for (const int64_t k : {1, 13, 64}) {
            std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n)),
                c(static_cast<size_t>(m * n), 7);
            for (float& value : a) value = normal(engine);
            for (float& value : b) value = normal(engine);
            gemm<float>(trans_a, trans_b, m, n, k, 1, a.data(), trans_a ? m : k, b.data(), trans_b ? k : n, 0, c.data(),
                        n);
            for (int64_t i = 0; i < m; ++i)
              for (int64_t j = 0; j < n; ++j) {
                float sum = 0;
                for (int64_t p = 0; p < k; ++p)
                  sum = std::fma(a[size_t(trans_a ? p * m + i : i * k + p)], b[size_t(trans_b ? j * k + p : p * n + j)],
                                 sum);
                ASSERT_EQ(c[size_t(i * n + j)], sum) << m << " " << n << " " << k << trans_a << trans_b;
              }
          }
}

TEST_F(ExactProducts, WithPackedWeightsHaveTheBitsOfTheOthersInPiecesOf256) {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal;
  for (const int64_t m : {1, 3, 4, 9})
    for (const int64_t k : {40, 256, 300, 700}) {
      const int64_t n = 48;
      std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n)), c(static_cast<size_t>(m * n));
      for (float& value : a) value = normal(engine);
      for (float& value : b) value = normal(engine);
      std::vector<float> memory(static_cast<size_t>(packed_size<float>(k, n)));
      gemm_packed<float>(m, a.data(), k, pack_b<float>(false, k, n, b.data(), n, memory.data()), 0, c.data(), n);
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          float total = 0;
          for (int64_t first = 0; first < k; first += 256) {
            float sum = 0;
            for (int64_t p = first; p < std::min(k, first + 256); ++p)
              sum = std::fma(a[size_t(i * k + p)], b[size_t(p * n + j)], sum);
            total = first == 0 ? sum : sum + total;
          }
          ASSERT_EQ(c[size_t(i * n + j)], total) << m << " " << k;
        }
    }
}

}  // namespace
}  // namespace tapegrad::kernels
