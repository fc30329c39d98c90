// Tensors from numbers in braces: how many braces there are says how many axes. No factory and no write in place loses a
// value in silence.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "support/message.h"

namespace tapegrad {
namespace {

TEST(TensorOfNumbers, HasAnAxisForEachPairOfBraces) {
  EXPECT_THAT(tensor(1), HasShape({}));
  EXPECT_THAT(tensor({1}), HasShape({1}));
  EXPECT_THAT(tensor({0, 1, 1, 0}), HasShape({4}));
  EXPECT_THAT(tensor({{1}}), HasShape({1, 1}));
  EXPECT_THAT(tensor({{0.5, -1}}), HasShape({1, 2}));
  EXPECT_THAT(tensor({{0}, {1}, {1}, {0}}), HasShape({4, 1}));  // the targets of exclusive or
  EXPECT_THAT(tensor({{0, 0}, {0, 1}, {1, 0}}, {.dtype = float64}), HasShape({3, 2}));
  EXPECT_THAT(tensor({}), HasShape({0}));
}

TEST(TensorOfNumbers, RejectsRowsOfDifferentLength) {
  try {
    tensor({{1, 2}, {3}});
    FAIL() << "rows of different length passed";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "tensor: all rows must have the same length, got 2 and 1");
  }
}

TEST(Arange, HasTheTypeOfItsArguments) {
  EXPECT_TENSOR_NEAR(arange(3), tensor({0, 1, 2}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(arange(2, 8, 3), tensor({2, 5}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(arange(5, 0, -2), tensor({5, 3, 1}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(arange(int64_t(1), 3), tensor({1, 2}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(arange(0, 1, 0.25), tensor({0, 0.25, 0.5, 0.75}), 0);
  EXPECT_TENSOR_NEAR(arange(0.5, 3), tensor({0.5, 1.5, 2.5}), 0);
  EXPECT_TENSOR_NEAR(arange(2.5), tensor({0, 1, 2}), 0);
  EXPECT_TENSOR_NEAR(arange(0, 3, 1, {.dtype = float64}), tensor({0, 1, 2}, {.dtype = float64}), 0);
  EXPECT_TENSOR_NEAR(arange(0.0, 4.0, 2.0, {.dtype = int64}), tensor({0, 2}, {.dtype = int64}), 0);
  EXPECT_THAT(arange(3, 3), HasShape({0}));
  EXPECT_THAT(arange(3, 0), HasShape({0}));
  EXPECT_THAT(arange(3, 2, 2), HasShape({0}));  // the wrong way, by less than a step
  EXPECT_THAT(arange(2, 3, -2), HasShape({0}));
  EXPECT_THAT(arange(3.5, 0), HasShape({0}));
}

TEST(Arange, CountsIntegersThatNoDoubleHolds) {
  const int64_t most = std::numeric_limits<int64_t>::max(), least = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(arange(most - 2, most).to_vector<int64_t>(), (std::vector<int64_t>{most - 2, most - 1}));
  EXPECT_EQ(arange(least, most, most).to_vector<int64_t>(), (std::vector<int64_t>{least, -1, most - 1}));
  EXPECT_EQ(arange(most, least, int64_t(1)).numel(), 0);
}

TEST(Arange, RefusesWhatHasNoNumbers) {
  EXPECT_EQ(message<ValueError>([] { arange(0, 1, 0); }), "arange: step must not be 0");
  EXPECT_EQ(message<ValueError>([] { arange(0, INFINITY); }),
            "arange: start, end and step must be finite and step not 0, got 0, inf, 1");
  EXPECT_EQ(message<DtypeError>([] { arange(0, 2, 1, {.dtype = boolean}); }),
            "arange: boolean tensors have no range. Hint: compare an int64 one, arange(8) < 3");
  EXPECT_EQ(message<ShapeError>([] { arange(0.0, 1e300); }), "arange: at most 2^63 - 1 elements, got 1e+300");
  EXPECT_EQ(
      message<ShapeError>([] { arange(std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()); }),
      "arange: at most 2^63 - 1 elements");
}

// "got 0.5" of the message that int64 has for what it does not hold.
std::string not_whole(const std::string& op, const std::string& value) {
  return op + ": int64 tensors take whole numbers up to 2^53 in magnitude, got " + value +
         ". Hint: {.dtype = float32} for fractions, from_vector() for larger integers";
}

TEST(Factories, LoseNoValueInInt64) {
  const TensorOptions whole = {.dtype = int64};
  EXPECT_EQ(message<DtypeError>([&] { full({2}, 0.5, whole); }), not_whole("full", "0.5"));
  EXPECT_EQ(message<DtypeError>([&] { full({0}, NAN, whole); }), not_whole("full", "nan"));
  EXPECT_EQ(message<DtypeError>([&] { full({2}, INFINITY, whole); }), not_whole("full", "inf"));
  EXPECT_EQ(message<DtypeError>([&] { full({2}, 0x1p54, whole); }), not_whole("full", "1.8014398509481984e+16"));
  EXPECT_EQ(message<DtypeError>([&] { full_like(zeros({2}, whole), 0.5); }), not_whole("full", "0.5"));
  EXPECT_EQ(message<DtypeError>([&] { tensor(0.5, whole); }), not_whole("tensor", "0.5"));
  EXPECT_EQ(message<DtypeError>([&] { tensor({1, 0.5}, whole); }), not_whole("tensor", "0.5"));
  EXPECT_EQ(message<DtypeError>([&] { tensor({{1, 0.5}}, whole); }), not_whole("tensor", "0.5"));
  EXPECT_EQ(message<DtypeError>([&] { arange(0, 1, 0.25, whole); }), not_whole("arange", "0.25"));
  EXPECT_EQ(message<DtypeError>([&] { linspace(0, 1, 3, whole); }), not_whole("linspace", "0.5"));
  EXPECT_TENSOR_NEAR(full({2}, -0x1p53, whole), tensor({-0x1p53, -0x1p53}, whole), 0);
  EXPECT_TENSOR_NEAR(linspace(0, 10, 3, whole), tensor({0, 5, 10}, whole), 0);
  EXPECT_TENSOR_NEAR(eye(2, whole), tensor({{1, 0}, {0, 1}}, whole), 0);
  EXPECT_TENSOR_NEAR(bernoulli({3}, 1, whole), ones({3}, whole), 0);
}

TEST(Factories, TakeWhatIsNotZeroForTrue) {
  EXPECT_EQ(tensor({0, 0.5, -1, NAN}, {.dtype = boolean}).to_vector<bool>(), (std::vector{false, true, true, true}));
  EXPECT_EQ(full({1}, 0.5, {.dtype = boolean}).to_vector<bool>(), std::vector{true});
  EXPECT_EQ(eye(2, {.dtype = boolean}).to_vector<bool>(), (std::vector{true, false, false, true}));
}

TEST(RandomFactories, LoseNoValue) {
  manual_seed(1);
  const uint64_t before = default_generator().position;
  const std::string others = " Hint: randint() and bernoulli() make the others";
  EXPECT_EQ(message<DtypeError>([] { rand({2}, {.dtype = int64}); }),
            "rand: makes float32 or float64, got int64." + others);
  EXPECT_EQ(message<DtypeError>([] { randn({2}, {.dtype = boolean}); }),
            "randn: makes float32 or float64, got boolean." + others);
  EXPECT_EQ(message<DtypeError>([] { randn_like(arange(2)); }), "randn: makes float32 or float64, got int64." + others);
  EXPECT_EQ(message<DtypeError>([] { randint(0, 3, {2}, {.dtype = boolean}); }),
            "randint: boolean does not hold all integers in [0, 2]. Hint: {.dtype = int64}");
  EXPECT_EQ(message<DtypeError>([] { randint(0, 1 << 25, {2}, {.dtype = float32}); }),
            "randint: float32 does not hold all integers in [0, 33554431]. Hint: {.dtype = int64}");
  EXPECT_EQ(message<DtypeError>([] { randint(-(int64_t(1) << 54), 0, {2}, {.dtype = float64}); }),
            "randint: float64 does not hold all integers in [-18014398509481984, -1]. Hint: {.dtype = int64}");
  EXPECT_EQ(message<DtypeError>([] { randperm(3, {.dtype = boolean}); }),
            "randperm: boolean does not hold all integers in [0, 2]. Hint: {.dtype = int64}");
  EXPECT_EQ(default_generator().position, before);
  EXPECT_NO_THROW(randint(0, 2, {2}, {.dtype = boolean}));
  EXPECT_NO_THROW(randint(0, (1 << 24) + 1, {2}, {.dtype = float32}));
}

TEST(Fill, LosesNoValueAndAsksTheTape) {
  Tensor counts = zeros({2}, {.dtype = int64}), mask = zeros({2}, {.dtype = boolean});
  EXPECT_EQ(message<DtypeError>([&] { counts.fill_(0.5); }), not_whole("fill_", "0.5"));
  EXPECT_EQ(counts.version(), 0u);
  EXPECT_TENSOR_NEAR(counts.fill_(7), tensor({7, 7}, {.dtype = int64}), 0);
  EXPECT_EQ(mask.fill_(0.5).to_vector<bool>(), (std::vector{true, true}));
  EXPECT_EQ(message<ShapeError>([] {
              zeros({2, 1}).expand({2, 3}).fill_(1);
            }),
            "fill_: an expanded view cannot be changed in place: its elements share memory along axis 1. "
            "Hint: change a "
            "clone()");
  EXPECT_EQ(message<ValueError>([] { Tensor().fill_(1); }), "fill_: the tensor is an empty handle");
  Tensor leaf = ones({2}, {.requires_grad = true});
  const Tape tape;
  EXPECT_EQ(message<AutogradError>([&] { leaf.zero_(); }),
            "fill_: a leaf cannot be changed in place while a tape records: its gradient would miss the change. "
            "Hint: do it after the tape's scope, or under NoGrad");
  EXPECT_EQ(message<AutogradError>([&] { (leaf * 2.0).fill_(1); }),
            "fill_: a tensor that the tape recorded cannot be changed in place. Hint: write x = x + y in place of "
            "x += y, where() or index_put() in place of copy_()");
}

TEST(WritesInPlace, LoseNoValue) {
  Tensor counts = ones({2}, {.dtype = int64});
  EXPECT_EQ(message<DtypeError>([&] { counts += 0.5; }),
            "+=: int64 tensors take whole numbers, got 0.5. Hint: convert with x.to(float32)");
  EXPECT_EQ(message<DtypeError>([&] { counts *= NAN; }),
            "*=: int64 tensors take whole numbers, got nan. Hint: convert with x.to(float32)");
  EXPECT_THROW(counts += tensor({0.5, 1}), DtypeError);
  EXPECT_THROW(counts.copy_(tensor({0.5, 1})), DtypeError);
  EXPECT_THROW(counts /= 2.0, DtypeError);
  EXPECT_THROW(masked_fill(counts, ones({2}, {.dtype = boolean}), 0.5), DtypeError);
  EXPECT_TENSOR_NEAR(counts, tensor({1, 1}, {.dtype = int64}), 0);
}

TEST(Conversion, CutsFractionsAndRefusesWhatNoInt64Holds) {
  EXPECT_TENSOR_NEAR(tensor({1.9, -1.9}).to(int64), tensor({1, -1}, {.dtype = int64}), 0);
  EXPECT_EQ(tensor({0, 0.5, NAN}).to(boolean).to_vector<bool>(), (std::vector{false, true, true}));
  EXPECT_EQ(message<ValueError>([] { (void)tensor(NAN).to(int64); }),
            "to: int64 holds numbers below 2^63 in magnitude, got nan");
  EXPECT_EQ(message<ValueError>([] { (void)tensor(-0x1p63, {.dtype = float64}).to(int64); }),
            "to: int64 holds numbers below 2^63 in magnitude, got -9.223372036854776e+18");
}

}  // namespace
}  // namespace tapegrad
