// Counts: sums of masks and of int64, one number of a tensor in its own type, and histograms.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "ops/expect.h"

namespace tapegrad {
namespace {

using Ints = std::vector<int64_t>;
constexpr TensorOptions kWhole = {.dtype = int64}, kMask = {.dtype = boolean};

Tensor ints(const Ints& values) { return from_vector(values, {int64_t(values.size())}); }

TEST(SumOfAMask, CountsWhatIsTrue) {
  const Tensor mask = tensor({{1, 0, 1}, {1, 1, 1}}, kMask);
  EXPECT_TENSOR_NEAR(sum(mask), tensor(5, kWhole), 0);
  EXPECT_TENSOR_NEAR(sum(mask, 0), tensor({2, 1, 2}, kWhole), 0);
  EXPECT_TENSOR_NEAR(sum(mask, 1, {.keepdim = true}), tensor({{2}, {3}}, kWhole), 0);
  EXPECT_TENSOR_NEAR(sum(mask.transpose(0, 1), 0), tensor({2, 3}, kWhole), 0);
  EXPECT_TENSOR_NEAR(sum(zeros({0, 3}, kMask), 0), tensor({0, 0, 0}, kWhole), 0);
  EXPECT_EQ(sum(eq(ints({1, 2, 3}), ints({1, 0, 3}))).item<int64_t>(), 2);
  EXPECT_EQ(sum(ones({70000, 3}, kMask)).item<int64_t>(), 210000);
  EXPECT_EQ(message<DtypeError>([&] { mean(mask); }),
            "mean: takes float32 or float64, got boolean. Hint: convert with x.to(float32)");
  EXPECT_EQ(message<DtypeError>([&] { mean(arange(3)); }),
            "mean: takes float32 or float64, got int64. Hint: convert with x.to(float32)");
}

TEST(SumOfInt64, IsExactBeyondTheDoubles) {
  EXPECT_EQ(sum(ints({int64_t(1) << 60, 1, 1})).item<int64_t>(), (int64_t(1) << 60) + 2);
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(sum(ints({most, 1, -1})).item<int64_t>(), most) << "on the way it leaves the range";
  EXPECT_TENSOR_NEAR(sum(arange(12).reshape({2, 3, 2}), {0, 2}), tensor({14, 22, 30}, kWhole), 0);
  Tape tape;
  const Tensor w = ones({2}, {.requires_grad = true});
  EXPECT_FALSE(sum(w > 0.0).is_recorded());
}

TEST(Item, IsTheNumberInItsOwnType) {
  const int64_t large = (int64_t(1) << 60) + 1;
  EXPECT_EQ(ints({large}).item<int64_t>(), large);
  EXPECT_EQ(argmax(tensor({1, 5, 2})).item<int64_t>(), 1);
  EXPECT_EQ(tensor(0.1).item<float>(), 0.1f);
  EXPECT_EQ(tensor(0.1, {.dtype = float64}).item<double>(), 0.1);
  EXPECT_TRUE(any(tensor({0, 1}, kMask)).item<bool>());
  EXPECT_EQ(message<DtypeError>([] { tensor(2.5).item<int64_t>(); }),
            "item: the tensor is float32, asked for as int64. Hint: item() gives any number as a double");
  EXPECT_EQ(message<ShapeError>([] { zeros({2}).item<float>(); }), "item: the tensor must have one element, got [2]");
  EXPECT_THROW(Tensor().item<float>(), ValueError);
}

TEST(Bincount, CountsEachNumber) {
  EXPECT_TENSOR_NEAR(bincount(ints({0, 1, 1, 3})), tensor({1, 2, 0, 1}, kWhole), 0);
  EXPECT_TENSOR_NEAR(bincount(ints({1}), {.minlength = 4}), tensor({0, 1, 0, 0}, kWhole), 0);
  EXPECT_TENSOR_NEAR(bincount(ints({5}), {.minlength = 2}), tensor({0, 0, 0, 0, 0, 1}, kWhole), 0);
  EXPECT_TENSOR_NEAR(bincount(ints({})), tensor({}, kWhole), 0);
  EXPECT_TENSOR_NEAR(bincount(ints({}), {.minlength = 2}), tensor({0, 0}, kWhole), 0);
  const Tensor weights = tensor({0.5, 2, 4}, {.requires_grad = true});
  Tape tape;
  const Tensor y = bincount(ints({1, 0, 1}), {.weights = weights});
  EXPECT_TENSOR_NEAR(y.detach(), tensor({2, 4.5}), 0);
  EXPECT_TENSOR_NEAR(tape.gradient(y, {weights}, {.gradient = tensor({10, 20})})[0], tensor({20, 10, 20}), 0);
}

TEST(Bincount, SaysWhatItCannotCount) {
  EXPECT_EQ(message<IndexError>([] {
              bincount(ints({2, -1}));
            }),
            "bincount: the index at [1] must be in [0, 9223372036854775807), got -1");
  EXPECT_EQ(message<ShapeError>([] { bincount(zeros({2, 2}, kWhole)); }), "bincount: takes a vector, got [2, 2]");
  EXPECT_EQ(message<ShapeError>([] { bincount(ints({1}), {.weights = ones({2})}); }),
            "bincount: weights must be [1] as x, got [2]");
  EXPECT_EQ(message<ValueError>([] { bincount(ints({1}), {.minlength = -1}); }),
            "bincount: minlength must not be negative, got -1");
  EXPECT_EQ(message<DtypeError>([] { bincount(ones({2})); }),
            "bincount: indices must be int64, got float32. Hint: convert with x.to(int64)");
}

TEST(Histc, CountsWhatLiesInEachPart) {
  const Tensor x = tensor({1, 2, 1, 0, 3.9, 4, -1, 5, NAN});
  EXPECT_TENSOR_NEAR(histc(x, 4, 0, 4), tensor({1, 2, 1, 2}), 0)
      << "the last part has 4, and -1, 5 and NaN lie outside";
  EXPECT_TENSOR_NEAR(histc(tensor({{1, 2}, {3, 5}}), 2), tensor({2, 2}), 0) << "from 1 to 5";
  EXPECT_TENSOR_NEAR(histc(tensor({2, 2}), 2), tensor({0, 2}), 0) << "from 1 to 3";
  EXPECT_TENSOR_NEAR(histc(zeros({0}), 3), zeros({3}), 0);
  EXPECT_TENSOR_NEAR(histc(tensor({0.5}, {.dtype = float64}), 1, 0, 1), tensor({1}, {.dtype = float64}), 0);
  EXPECT_THAT(histc(randn({50})), HasShape({100}));
}

TEST(Histc, AgreesWithALoop) {
  manual_seed(8);
  const Tensor x = randn({5000}, {.dtype = float64});
  std::vector<double> want(17);
  for (double value : x.to_vector<double>())
    for (size_t bin = 0; bin < 17; ++bin)
      want[bin] += value >= -2 + 4.0 * double(bin) / 17 && value < -2 + 4.0 * double(bin + 1) / 17;
  expect_near(histc(x, 17, -2, 2), want, 0);
}

TEST(Histc, SaysWhatItCannotCount) {
  EXPECT_EQ(message<ValueError>([] { histc(ones({2}), 0); }), "histc: there must be at least one bin, got 0");
  EXPECT_EQ(message<ValueError>([] { histc(ones({2}), 3, 2, 1); }),
            "histc: the range must be finite, and min not greater than max, got 2 and 1");
  EXPECT_EQ(message<ValueError>([] {
              histc(tensor({1, INFINITY}), 3);
            }),
            "histc: the range must be finite, and min not greater than max, got 1 and inf");
  EXPECT_THROW(histc(arange(3)), DtypeError);
}

}  // namespace
}  // namespace tapegrad
