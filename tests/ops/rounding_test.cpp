// Whole numbers near a number, what is left of a division, and angles: against the C library and numbers by hand.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "ops/expect.h"

namespace tapegrad {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr TensorOptions kWhole = {.dtype = int64}, k64 = {.dtype = float64};

TEST(Rounding, TakesTheWholeNumberOnEachSide) {
  const Tensor x = tensor({-2.5, -1.5, -0.5, -0.2, 0.5, 1.5, 2.5, 2.7, -kInf, 1e30});
  EXPECT_TENSOR_NEAR(floor(x), tensor({-3, -2, -1, -1, 0, 1, 2, 2, -kInf, 1e30}), 0);
  EXPECT_TENSOR_NEAR(ceil(x), tensor({-2, -1, 0, 0, 1, 2, 3, 3, -kInf, 1e30}), 0);
  EXPECT_TENSOR_NEAR(trunc(x), tensor({-2, -1, 0, 0, 0, 1, 2, 2, -kInf, 1e30}), 0);
  EXPECT_TENSOR_NEAR(round(x), tensor({-2, -2, 0, 0, 0, 2, 2, 3, -kInf, 1e30}), 0) << "half to even";
  for (auto f : {floor, ceil, trunc, round}) {
    EXPECT_TRUE(std::isnan(f(tensor(NAN)).item()));
    EXPECT_TRUE(std::signbit(f(tensor(-0.0)).item()));
    EXPECT_THAT(f(zeros({0, 3})), HasShape({0, 3}));
  }
  EXPECT_TENSOR_NEAR(floor(linspace(0, 3, 5, k64).reshape({5, 1}).expand({5, 2})),
                     tensor({{0, 0}, {0, 0}, {1, 1}, {2, 2}, {3, 3}}, k64), 0);
  EXPECT_EQ(message<DtypeError>([] { round(arange(2)); }),
            "round: takes float32 or float64, got int64. Hint: convert with x.to(float32)");
}

TEST(Remainder, HasTheSignOfTheDivisor) {
  const Tensor a = tensor({7, -7, 7, -7, 6, -6, 0, 5.5}), b = tensor({3, 3, -3, -3, 3, 3, 3, -2});
  EXPECT_TENSOR_NEAR(remainder(a, b), tensor({1, 2, -2, -1, 0, 0, 0, -0.5}), 0);
  EXPECT_TENSOR_NEAR(remainder(arange(-4, 5), 3), tensor({2, 0, 1, 2, 0, 1, 2, 0, 1}, kWhole), 0);
  EXPECT_TENSOR_NEAR(remainder(arange(7) * 7, 23), tensor({0, 7, 14, 21, 5, 12, 19}, kWhole), 0);
  const int64_t least = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(remainder(from_vector(std::vector<int64_t>{least}, {1}), -1).to_vector<int64_t>()[0], 0);
  EXPECT_TENSOR_NEAR(remainder(tensor({5, -5}), kInf), tensor({5, kInf}), 0);
  EXPECT_TRUE(std::isnan(remainder(tensor(1.0), 0).item()));
  EXPECT_TRUE(std::isnan(remainder(tensor(kInf), 2).item()));
  EXPECT_THAT(remainder(zeros({2, 1}), ones({3})), HasShape({2, 3}));
  EXPECT_EQ(message<ValueError>([] { remainder(arange(3), arange(3)); }),
            "remainder: whole numbers have no remainder by 0");
  EXPECT_EQ(message<DtypeError>([] { remainder(arange(3), 0.5); }),
            "remainder: int64 tensors take whole numbers, got 0.5. Hint: convert with x.to(float32)");
}

TEST(Remainder, IsWhatIsLeftOfManyDivisions) {
  manual_seed(5);
  const Tensor a = randn({1000}, k64) * 100, b = randn({1000}, k64);
  const auto x = a.to_vector<double>(), y = b.to_vector<double>(), got = remainder(a, b).to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(got[i], x[i] - std::floor(x[i] / y[i]) * y[i], 1e-12) << x[i] << " by " << y[i];
    EXPECT_TRUE(got[i] == 0 || (got[i] < 0) == (y[i] < 0));
    EXPECT_LT(std::abs(got[i]), std::abs(y[i]));
  }
}

TEST(Atan2, IsTheAngleInAllQuadrants) {
  const double pi = std::acos(-1.0);
  EXPECT_TENSOR_NEAR(atan2(tensor({1, 1, -1, -1, 0, 0}, k64), tensor({1, -1, 1, -1, -1, 1}, k64)),
                     tensor({pi / 4, 3 * pi / 4, -pi / 4, -3 * pi / 4, pi, 0}, k64), 1e-15);
  const Tensor a = tensor({1e-30, 1e30, 0}, {.requires_grad = true}), b = tensor({1e-30, 1e30, -2});
  Tape tape;
  EXPECT_TENSOR_NEAR(tape.gradient(atan2(a, b), {a}, {.gradient = ones({3})})[0] * b, tensor({0.5, 0.5, 1}), 1e-6)
      << "where squares leave float32's range";
}

TEST(Log2, IsExactAtThePowersOfTwo) {
  for (Dtype dtype : {float32, float64})
    for (int k = -100; k <= 100; ++k) EXPECT_EQ(log2(full({}, std::ldexp(1.0, k), {.dtype = dtype})).item(), k);
  EXPECT_EQ(log2(tensor(0.0)).item(), -kInf);
  EXPECT_TRUE(std::isnan(log2(tensor(-1.0)).item()));
}

}  // namespace
}  // namespace tapegrad
