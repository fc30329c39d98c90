// The oracle is the C library in float64, whose error is invisible at float precision.
#include "kernels/vector/math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "kernels/loops/map.h"

namespace tapegrad::kernels {
namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float denorm = std::numeric_limits<float>::denorm_min();

double sigmoid64(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

/// |y - exact| over the gap between the floats around exact.
double error_in_ulp(float y, double exact) {
  if (std::isnan(exact)) return std::isnan(y) ? 0 : HUGE_VAL;
  const float rounded = static_cast<float>(exact);
  if (y == rounded) return 0;
  if (!std::isfinite(y) || std::isinf(rounded)) return HUGE_VAL;
  return std::fabs(y - exact) / std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
}

struct Function {
  const char* name;
  void (*map)(int64_t n, const float* x, float* y);
  double (*exact)(double);
  float at_zero, at_inf, at_minus_inf;
};

#define TAPEGRAD_FUNCTION(name, exact, ...)                                                                           \
  Function {                                                                                                          \
#name, [](int64_t n, const float* x, float* y) { map(n, x, y, [](float v) { return math::name(v); }); }, exact,   \
                                                                                                          __VA_ARGS__ \
  }

class Math : public testing::TestWithParam<Function> {
 protected:
  float at(float x) const {
    float y;
    GetParam().map(1, &x, &y);
    return y;
  }
};

INSTANTIATE_TEST_SUITE_P(
    , Math,
    testing::Values(TAPEGRAD_FUNCTION(exp, std::exp, 1, inf, 0), TAPEGRAD_FUNCTION(expm1, std::expm1, 0, inf, -1),
                    TAPEGRAD_FUNCTION(log, std::log, -inf, inf, nan), TAPEGRAD_FUNCTION(log1p, std::log1p, 0, inf, nan),
                    TAPEGRAD_FUNCTION(tanh, std::tanh, 0, 1, -1), TAPEGRAD_FUNCTION(sigmoid, sigmoid64, 0.5f, 1, 0),
                    TAPEGRAD_FUNCTION(erf, std::erf, 0, 1, -1)),
    [](const auto& info) { return info.param.name; });

TEST_P(Math, IsWithinTwoUlpOfFloat64) {
  constexpr int64_t block = 4096, step = 509;  // a prime: every low bit pattern comes up
  std::vector<float> x(block), y(block);
  for (uint64_t begin = 0; begin < (uint64_t{1} << 32); begin += block * step) {
    for (int64_t i = 0; i < block; ++i) x[i] = std::bit_cast<float>(static_cast<uint32_t>(begin + i * step));
    GetParam().map(block, x.data(), y.data());
    for (int64_t i = 0; i < block; ++i) {
      ASSERT_LE(error_in_ulp(y[i], GetParam().exact(x[i])), 2.0) << GetParam().name << "(" << x[i] << ") = " << y[i];
    }
  }
}

TEST_P(Math, PassesNanOn) {
  EXPECT_TRUE(std::isnan(at(nan)));
  EXPECT_TRUE(std::isnan(at(-nan)));
}

TEST_P(Math, HasTheRightLimits) {
  EXPECT_EQ(at(0.0f), GetParam().at_zero);
  EXPECT_EQ(at(-0.0f), GetParam().at_zero);
  EXPECT_EQ(at(inf), GetParam().at_inf);
  if (std::isnan(GetParam().at_minus_inf)) {
    EXPECT_TRUE(std::isnan(at(-inf)));
  } else {
    EXPECT_EQ(at(-inf), GetParam().at_minus_inf);
  }
}

TEST_P(Math, HandlesTheSmallestAndLargestNumbers) {
  for (float x : {denorm, 2 * denorm, 1e-40f, std::numeric_limits<float>::min(), std::numeric_limits<float>::max()}) {
    EXPECT_LE(error_in_ulp(at(x), GetParam().exact(x)), 2.0) << x;
    EXPECT_LE(error_in_ulp(at(-x), GetParam().exact(-x)), 2.0) << -x;
  }
}

TEST_P(Math, DoesNotDependOnThePositionInTheArray) {
  std::vector<float> x(67, 0.8125f), y(67);
  GetParam().map(67, x.data(), y.data());
  for (float v : y) EXPECT_EQ(v, at(0.8125f));
}

TEST(MathExp, UnderflowsGraduallyAndOverflowsWhereFloatEnds) {
  EXPECT_EQ(math::exp(-100.0f), static_cast<float>(std::exp(-100.0)));  // subnormal
  EXPECT_EQ(math::exp(-104.0f), 0.0f);
  EXPECT_LT(math::exp(88.72283f), inf);
  EXPECT_EQ(math::exp(88.72284f), inf);
}

TEST(MathTanh, IsOddAndBounded) {
  for (float x = 0; x < 12; x += 0.01f) {
    EXPECT_EQ(math::tanh(-x), -math::tanh(x));
    EXPECT_LE(math::tanh(x), 1.0f);
  }
  EXPECT_TRUE(std::signbit(math::tanh(-0.0f)));
}

TEST(MathSigmoid, ReachesNeitherZeroNorInfinityTooEarly) {
  EXPECT_GT(math::sigmoid(-103.0f), 0.0f);
  EXPECT_EQ(math::sigmoid(-110.0f), 0.0f);
  EXPECT_NEAR(math::sigmoid(-700.0) / std::exp(-700.0), 1.0, 1e-15);  // float64
}

TEST(MathLog, OfFloat64IsWithinOneUlpOfLongDouble) {
  std::mt19937_64 engine(7);
  for (int i = 0; i < 200'000; ++i) {
    const double x = i % 2 == 0 ? std::ldexp(1 + double(engine() >> 12) * 0x1p-52, int(engine() % 2000) - 1040)
                                : 1 - double(engine() >> 32) * 0x1p-32;
    const long double exact = std::log(static_cast<long double>(x));
    const double rounded = static_cast<double>(exact),
                 ulp = std::nextafter(std::fabs(rounded), 1e300) - std::fabs(rounded);
    ASSERT_LE(std::fabs(static_cast<long double>(math::log(x)) - exact), ulp) << x;
  }
  EXPECT_EQ(math::log(1.0), 0.0);
  EXPECT_EQ(math::log(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(math::log(-1.0)));
  EXPECT_TRUE(std::isnan(math::log(std::nan(""))));
  EXPECT_EQ(math::log(std::numeric_limits<double>::infinity()), std::numeric_limits<double>::infinity());
}

TEST(MathCosOfTurn, IsTheCosine) {
  std::mt19937 engine(8);
  for (int i = 0; i < 200'000; ++i) {
    const uint32_t turn = static_cast<uint32_t>(engine());
    const long double exact = std::cos(2 * std::numbers::pi_v<long double> * turn * 0x1p-32L);
    ASSERT_NEAR(math::cos_of_turn(turn), static_cast<double>(exact), 3e-16) << turn;
  }
  EXPECT_EQ(math::cos_of_turn(0), 1.0);
  EXPECT_EQ(math::cos_of_turn(1u << 30), 0.0);
  EXPECT_EQ(math::cos_of_turn(1u << 31), -1.0);
}

}  // namespace
}  // namespace tapegrad::kernels
