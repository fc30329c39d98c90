// Hints that name the cure of what beginners write.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include "ops/expect.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64 = {.dtype = float64}, kWhole = {.dtype = int64};

std::string one_dtype(const std::string& op, const std::string& a, const std::string& b, const std::string& to) {
  return op + ": both must have one dtype, got " + a + " and " + b + ". Hint: convert one with x.to(" + to + ")";
}

TEST(Hints, ConvertTowardsWhatHasGradients) {
  const Tensor mask = ones({2}, {.dtype = boolean}), x = ones({2}), whole = arange(2);
  EXPECT_EQ(message<DtypeError>([&] { mask* x; }), one_dtype("mul", "boolean", "float32", "float32"));
  EXPECT_EQ(message<DtypeError>([&] { x* mask; }), one_dtype("mul", "float32", "boolean", "float32"));
  EXPECT_EQ(message<DtypeError>([&] { whole + x.to(float64); }), one_dtype("add", "int64", "float64", "float64"));
  EXPECT_EQ(message<DtypeError>([&] { mask + whole; }), one_dtype("add", "boolean", "int64", "int64"));
  EXPECT_EQ(message<DtypeError>([&] { x + x.to(float64); }), one_dtype("add", "float32", "float64", "float32"));
}

TEST(Hints, ConvertTheDataToTheParameters) {
  nn::Linear layer(2, 3);
  const auto text = [&](const Tensor& x) { return message<DtypeError>([&] { layer(x); }); };
  EXPECT_EQ(text(zeros({4, 2}, k64)),
            "Linear: both must have one dtype, got float64 and float32. Hint: convert one with "
            "x.to(float32)");
  EXPECT_EQ(text(zeros({4, 2}, kWhole)),
            "Linear: both must have one dtype, got int64 and float32. Hint: convert one with "
            "x.to(float32)");
}

TEST(Hints, NameGradForAnEmptyHandle) {
  const Tensor w = ones({2}, {.requires_grad = true});
  EXPECT_EQ(message<ValueError>([&] { w.grad().shape(); }),
            "tensor: this handle is empty. Hint: it was default-constructed or moved from, or is a grad() "
            "before backward() "
            "or after zero_grad()");
}

TEST(Hints, SayHowMuchMemoryThereIsNot) {
  EXPECT_EQ(message<Error>([] {
              zeros({1 << 26, 1 << 24});
            }),
            "tensor: there is no memory for [67108864, 16777216] in float32, 4503599627370496 bytes");
  EXPECT_EQ(message<ShapeError>([] { empty({(int64_t(1) << 61) - 1}, k64); }),
            "tensor: the bytes of [2305843009213693951] in float64 do not fit 64 bits");
  EXPECT_EQ(ones({2})[0].item(), 1);
}

TEST(Hints, FlattenTheScoresOfASequence) {
  const Tensor labels = zeros({7, 5}, kWhole);
  EXPECT_EQ(message<ShapeError>([&] {
              cross_entropy(zeros({7, 5, 3}), labels);
            }),
            "cross_entropy: the target for scores [7, 5, 3] must be [7, 3], one label each, got [7, 5]. "
            "Hint: classes are "
            "axis 1; take scores.flatten(0, 1) and target.flatten()");
  const Tensor scores = zeros({7, 5, 3});
  EXPECT_NO_THROW(cross_entropy(scores.flatten(0, 1), labels.flatten()));
}

TEST(Hints, NameBatchFirst) {
  const auto text = [](bool batch_first) {
    nn::LSTM lstm(3, 2, {.batch_first = batch_first});
    return message<ShapeError>([&] { lstm(zeros({4, 2, 3}), {}, {.lengths = ones({batch_first ? 2 : 4}, kWhole)}); });
  };
  EXPECT_EQ(text(false),
            "LSTM: lengths must be int64 [2], got int64 [4]. Hint: {.batch_first = true} if the input is [B, T, "
            "input_size]");
  EXPECT_EQ(text(true),
            "LSTM: lengths must be int64 [4], got int64 [2]. Hint: without batch_first the input is [T, B, "
            "input_size]");
}

TEST(Hints, FlattenTheImagesOfALinearLayer) {
  nn::Linear layer(784, 10), one(1, 2);
  const auto text = [](nn::Linear& layer, const Shape& shape) {
    return message<ShapeError>([&] { layer(zeros(shape)); });
  };
  EXPECT_EQ(text(layer, {64, 28, 28}),
            "Linear: input must end in in_features 784, got input [64, 28, 28]. Hint: x.flatten(1) would fit");
  EXPECT_EQ(text(layer, {2, 3, 1, 28, 28}),
            "Linear: input must end in in_features 784, got input [2, 3, 1, 28, 28]. Hint: x.flatten(3) would fit");
  EXPECT_EQ(text(layer, {64, 28}), "Linear: input must end in in_features 784, got input [64, 28]");
  EXPECT_EQ(text(one, {64, 28}), "Linear: input must end in in_features 1, got input [64, 28]");
  EXPECT_EQ(text(layer, {}), "Linear: input must end in in_features 784, got input []");
  EXPECT_NO_THROW(layer(zeros({64, 28, 28}).flatten(1)));
}

}  // namespace
}  // namespace tapegrad
