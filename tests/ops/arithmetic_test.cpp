#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>
#include <limits>

namespace tapegrad {
namespace {

using testing::ElementsAre;

const double inf = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Arithmetic, BroadcastsAsNumPyDoes) {
  const Tensor a = tensor({{1, 2, 3}, {4, 5, 6}}), row = tensor({10, 20, 30}), column = tensor({1, 2}).reshape({2, 1});
  EXPECT_THAT((a + row).to_vector<float>(), ElementsAre(11, 22, 33, 14, 25, 36));
  EXPECT_THAT((row - a).to_vector<float>(), ElementsAre(9, 18, 27, 6, 15, 24));
  EXPECT_THAT((a * column).to_vector<float>(), ElementsAre(1, 2, 3, 8, 10, 12));
  EXPECT_THAT((column / tensor({1, 2, 4})).to_vector<float>(), ElementsAre(1, 0.5, 0.25, 2, 1, 0.5));
  EXPECT_THAT((column - column.transpose(0, 1)).to_vector<float>(), ElementsAre(0, -1, 1, 0));
}

TEST(Arithmetic, ReadsStridedViews) {
  const Tensor a = arange(24).to(float64).reshape({2, 3, 4}), b = a.permute({2, 0, 1});
  const Tensor bias = arange(3).to(float64).reshape({3}), y = b * 2 + bias, z = b + b.contiguous();
  ASSERT_EQ(y.shape(), (Shape{4, 2, 3}));
  for (int64_t i = 0, at = 0; i < 4; ++i)
    for (int64_t j = 0; j < 2; ++j)
      for (int64_t k = 0; k < 3; ++k, ++at) {
        const double x = double(j * 12 + k * 4 + i);
        EXPECT_EQ(y.data<double>()[size_t(at)], 2 * x + double(k));
        EXPECT_EQ(z.data<double>()[size_t(at)], 2 * x);
      }
}

TEST(Arithmetic, RepeatsBothSidesAlongOneAxis) {
  const Tensor a = tensor({1, 2}).reshape({2, 1}).expand({2, 3}), b = tensor({10, 20}).reshape({2, 1}).expand({2, 3});
  EXPECT_THAT((a + b).to_vector<float>(), ElementsAre(11, 11, 11, 22, 22, 22));
  EXPECT_THAT((a * tensor({5, 6}).reshape({2, 1}).expand({2, 3})).to_vector<float>(), ElementsAre(5, 5, 5, 12, 12, 12));
  EXPECT_THAT((b - a.transpose(0, 1).contiguous().transpose(0, 1)).to_vector<float>(),
              ElementsAre(9, 9, 9, 18, 18, 18));
}

TEST(Arithmetic, SplitsLargeBroadcastsOverThreadsWithTheSameBits) {
  manual_seed(3);
  const Tensor a = randn({300, 257}), row = randn({257}), column = randn({300, 1});
  set_num_threads(1);
  const std::vector<float> one = (a * row + column).to_vector<float>();
  set_num_threads(3);
  const std::vector<float> three = (a * row + column).to_vector<float>();
  set_num_threads(1);
  EXPECT_EQ(one, three);
  for (size_t i : {0u, 256u, 257u, 77099u, 40000u})
    EXPECT_FLOAT_EQ(one[i], a.data<float>()[i] * row.data<float>()[i % 257] + column.data<float>()[i / 257]);
}

TEST(Arithmetic, TakesNumbersOnEitherSide) {
  const Tensor x = tensor({1, -2, 4});
  EXPECT_THAT((x + 1).to_vector<float>(), ElementsAre(2, -1, 5));
  EXPECT_THAT((1 - x).to_vector<float>(), ElementsAre(0, 3, -3));
  EXPECT_THAT((x - 1).to_vector<float>(), ElementsAre(0, -3, 3));
  EXPECT_THAT((2 * x).to_vector<float>(), ElementsAre(2, -4, 8));
  EXPECT_THAT((4 / x).to_vector<float>(), ElementsAre(4, -2, 1));
  EXPECT_THAT((x / 4).to_vector<float>(), ElementsAre(0.25, -0.5, 1));
  EXPECT_THAT((-x).to_vector<float>(), ElementsAre(-1, 2, -4));
}

TEST(Arithmetic, KeepsScalarsAndEmptyTensors) {
  EXPECT_EQ((tensor(2.0) * tensor(3.0)).shape(), Shape{});
  EXPECT_EQ((zeros({0, 3}) + zeros({3})).shape(), (Shape{0, 3}));
  EXPECT_EQ((zeros({2, 0}) + zeros({2, 1})).shape(), (Shape{2, 0}));
  EXPECT_EQ((zeros({0}) / 2).numel(), 0);
}

TEST(Arithmetic, DividesByZeroAsIeee) {
  const std::vector<double> y = (tensor({1, -1, 0}, {.dtype = float64}) / 0.0).to_vector<double>();
  EXPECT_EQ(y[0], inf);
  EXPECT_EQ(y[1], -inf);
  EXPECT_TRUE(std::isnan(y[2]));
}

TEST(Arithmetic, CountsWithIntegers) {
  const Tensor i = arange(4);
  EXPECT_THAT((i * 3 + 1).to_vector<int64_t>(), ElementsAre(1, 4, 7, 10));
  EXPECT_THAT((10 - i).to_vector<int64_t>(), ElementsAre(10, 9, 8, 7));
  EXPECT_THAT((-i).to_vector<int64_t>(), ElementsAre(0, -1, -2, -3));
  EXPECT_THAT((i - i).to_vector<int64_t>(), ElementsAre(0, 0, 0, 0));
}

TEST(Arithmetic, SaysWhatDoesNotFit) {
  const Tensor a = zeros({2, 3});
  EXPECT_EQ(message_of([&] { a + zeros({2}); }), message_of([&] { broadcast_shape("add", {2, 3}, {2}); }));
  EXPECT_EQ(message_of([&] { a + zeros({3}, {.dtype = float64}); }),
            "add: both must have one dtype, got float32 and float64. Hint: convert one with x.to(float32)");
  EXPECT_EQ(message_of([&] { arange(3) / 2; }),
            "div: takes float32 or float64, got int64. Hint: convert with x.to(float32)");
  EXPECT_EQ(message_of([&] { arange(3) + 0.5; }),
            "add: int64 tensors take whole numbers, got 0.5. Hint: convert with x.to(float32)");
  EXPECT_EQ(message_of([&] { arange(3) * nan; }),
            "mul: int64 tensors take whole numbers, got nan. Hint: convert with x.to(float32)");
  EXPECT_EQ(message_of([&] { ones({2}, {.dtype = boolean}) + ones({2}, {.dtype = boolean}); }),
            "add: takes float32 or float64, got boolean. Hint: convert with x.to(float32)");
}

TEST(InPlace, ChangesTheTensorAndItsVersion) {
  Tensor w = tensor({{1, 2}, {3, 4}});
  const Tensor other = w;
  const uint32_t before = w.version();
  w += tensor({10, 20});
  w -= 1;
  w *= tensor({1, 2}).reshape({2, 1});
  w /= 2.0;
  EXPECT_THAT(other.to_vector<float>(), ElementsAre(5, 10.5, 12, 23));
  EXPECT_EQ(w.version(), before + 4);
}

TEST(InPlace, ReadsItsOwnOldValues) {
  Tensor w = tensor({{1, 2}, {3, 4}});
  w += w.transpose(0, 1);
  EXPECT_THAT(w.to_vector<float>(), ElementsAre(2, 5, 5, 8));
  w *= w;
  EXPECT_THAT(w.to_vector<float>(), ElementsAre(4, 25, 25, 64));
}

TEST(InPlace, UpdatesALeafAfterTheTape) {
  Tensor w = tensor({3}, {.requires_grad = true});
  {
    Tape tape;
    tape.backward(sum(w * w));
  }
  w -= 0.5 * w.grad();
  EXPECT_EQ(w.item(), 0);
}

TEST(InPlace, RefusesWhatATapeWouldMiss) {
  Tensor w = tensor({3}, {.requires_grad = true}), total = zeros({1});
  Tape tape;
  Tensor y = w * 2;
  EXPECT_EQ(message_of([&] { y += 1; }),
            "+=: a tensor that the tape recorded cannot be changed in place. Hint: write x = x + y in place "
            "of x += y, where() or index_put() in place of copy_()");
  EXPECT_EQ(message_of([&] { w *= 2; }),
            "*=: a leaf cannot be changed in place while a tape records: its gradient would miss the change. "
            "Hint: do it after the tape's scope, or under NoGrad");
  EXPECT_EQ(message_of([&] { total += y; }),
            "+=: the tape cannot follow a change in place: the gradient of the right side would be lost. "
            "Hint: write x = x + y in place of x += y, where() or index_put() in place of copy_(), or use "
            "y.detach() if it is "
            "meant as a value");
  total += y.detach();
  EXPECT_EQ(total.item(), 6);
  {
    NoGrad guard;
    w += 1;
  }
  EXPECT_EQ(w.item(), 4);
}

TEST(InPlace, ChangesNothingWhereItFails) {
  Tensor w = zeros({2, 3}), view = zeros({3}).expand({2, 3});
  EXPECT_EQ(message_of([&] {
              w += zeros({4, 2, 3});
            }),
            "+=: the right side must broadcast to [2, 3], got [4, 2, 3]. Hint: write x = x + y in place of x += y");
  EXPECT_EQ(message_of([&] { view += 1; }),
            "+=: an expanded view cannot be changed in place: its elements share memory along axis 0. Hint: "
            "change a "
            "clone()");
  EXPECT_EQ(message_of([&] { w += zeros({3}, {.dtype = float64}); }),
            "+=: both must have one dtype, got float32 and float64. Hint: convert one with x.to(float32)");
  Tensor i = arange(3);
  EXPECT_THROW(i += 0.5, DtypeError);
  EXPECT_THROW(i /= 2, DtypeError);
  EXPECT_EQ(w.version(), 0u);
  EXPECT_EQ(i.version(), 0u);
}

TEST(InPlace, MakesATapeRefuseSavedValues) {
  Tensor w = tensor({3}, {.requires_grad = true}), x = tensor({2});
  Tape tape;
  Tensor loss = sum(w * x);
  x += 1;
  EXPECT_THROW(tape.backward(loss), AutogradError);
}

}  // namespace
}  // namespace tapegrad
