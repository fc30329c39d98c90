// What docs/differences_from_pytorch.md says of operations.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

#include "ops/expect.h"

namespace tapegrad {
namespace {

TEST(Differences, ATensorWithoutAxesHasNoAxisToName) {
  const Tensor x = tensor(1.5);
  const auto axis = [](const char* op, int64_t given) {
    return fmt::format("{}: axis must be in [0, -1] for 0 axes, got {}", op, given);
  };
  EXPECT_EQ(message<IndexError>([&] { softmax(x, -1); }), axis("softmax", -1));
  EXPECT_EQ(message<IndexError>([&] { log_softmax(x, 0); }), axis("log_softmax", 0));
  EXPECT_EQ(message<IndexError>([&] { cumsum(x, 0); }), axis("cumsum", 0));
  EXPECT_EQ(message<IndexError>([&] { sort(x); }), axis("sort", -1));
  EXPECT_EQ(message<IndexError>([&] { max(x, 0); }), axis("max", 0));
  EXPECT_EQ(message<IndexError>([&] { concat({x, x}); }), axis("concat", 0));
}

TEST(Differences, ALeafThatNoOperationUsedIsNoLoss) {
  const Tensor w = tensor(2.0, {.requires_grad = true});
  Tape tape;
  EXPECT_THAT(message<AutogradError>([&] { tape.backward(w); }),
              ::testing::HasSubstr("this tape did not record the tensor []"));
  EXPECT_EQ(tape.gradient(w * 1.0, {w})[0].item(), 1);
}

TEST(Differences, SubnormalGradientsAreZeroInBothTypes) {
  for (const auto& [dtype, tiny] : {std::pair{float32, 1e-40}, std::pair{float64, 1e-310}}) {
    const Tensor x = ones({4}, {.dtype = dtype, .requires_grad = true});
    EXPECT_GT((x.detach() * tiny)[0].item(), 0) << "the forward pass keeps them";
    Tape tape;
    const Tensor y = square(x);
    EXPECT_TENSOR_NEAR(tape.gradient(y, {x}, {.gradient = full({4}, tiny, {.dtype = dtype})})[0],
                       zeros({4}, {.dtype = dtype}), 0);
  }
}

TEST(Differences, LabelsThatWeighNothingTeachNothing) {
  const Tensor x = randn({3, 4}, {.requires_grad = true}), weight = tensor({1, 0, 2, 0});
  const Tensor labels = from_vector(std::vector<int64_t>{1, 3, 1}, {3});
  Tape tape;
  const Tensor loss = cross_entropy(x, labels, {.weight = weight});
  const Tensor likelihood = nll_loss(log_softmax(x, 1), labels, {.weight = weight});
  EXPECT_EQ(loss.item(), 0);
  EXPECT_EQ(likelihood.item(), 0);
  EXPECT_TENSOR_NEAR(tape.gradient(loss + likelihood, {x})[0], zeros({3, 4}), 0);
}

TEST(Differences, NaNGetsTheGradientThatTheHeadersSay) {
  const Tensor x = tensor({NAN, 1}, {.requires_grad = true});
  const auto slopes = [&](auto f) {
    Tape tape;
    return tape.gradient(sum(f(x)), {x})[0].template to_vector<float>();
  };
  EXPECT_EQ(slopes([](const Tensor& x) { return clamp(x, -2, 2); })[0], 1);
  EXPECT_EQ(slopes([](const Tensor& x) { return leaky_relu(x, 0.5); })[0], 1);
  EXPECT_EQ(slopes([](const Tensor& x) { return maximum(x, tensor({0, 0})); })[0], 0);
  EXPECT_TRUE(std::isnan(sign(x)[0].item()));
}

TEST(Differences, ZerosHaveTheSignsThatTheDocsSay) {
  const Tensor zero = tensor(-0.0);
  for (auto f : {relu, expm1, log1p}) EXPECT_FALSE(std::signbit(f(zero).item()));
  EXPECT_FALSE(std::signbit(elu(zero).item()));
  EXPECT_TRUE(std::signbit(sign(zero).item()));
}

TEST(Differences, SmallNumbersStayAndPowersAreThoseOfC) {
  EXPECT_GT(sigmoid(tensor(-90.0)).item(), 0);
  EXPECT_LT(silu(tensor(-90.0)).item(), 0);
  EXPECT_LT(gelu(tensor(-9.0), {.approximate = true}).item(), 0);
  EXPECT_GT(log1p(tensor(1e-40)).item(), 0);
  EXPECT_EQ((tensor(0.0) / tensor(1e-40)).item(), 0);
  EXPECT_EQ(pow(tensor(-INFINITY), 0.5).item(), INFINITY);
  EXPECT_FALSE(std::signbit(pow(tensor(-0.0), 0.5).item()));
  EXPECT_EQ(pow(tensor(-0.0), -0.5).item(), INFINITY);
  const Tensor x = tensor({NAN, 1}, {.requires_grad = true});
  Tape tape;
  EXPECT_TRUE(std::isnan(tape.gradient(norm(x, {.p = INFINITY}), {x})[0][1].item()));
}

TEST(Differences, AnInfiniteQuotientOfAHugeDivisorHasNoGradient) {
  const Tensor a = tensor(INFINITY), b = tensor(3e38, {.requires_grad = true});
  Tape tape;
  EXPECT_TRUE(std::isnan(tape.gradient(a / b, {b})[0].item()));
}

TEST(Differences, SecondDerivativesAtKinksAreThoseOfOneSide) {
  const auto second = [](auto f, double at) {
    const Tensor x = tensor(at, {.dtype = float64, .requires_grad = true});
    Tape tape;
    return tape.gradient(tape.gradient(f(x), {x}, {.create_graph = true})[0], {x})[0].item();
  };
  const Tensor zero = tensor(0, {.dtype = float64});
  EXPECT_EQ(second([](const Tensor& x) { return elu(x); }, 0), 1);
  EXPECT_EQ(second([&](const Tensor& x) { return huber_loss(x, zero); }, 1), 1);
  EXPECT_EQ(second([&](const Tensor& x) { return smooth_l1_loss(x, zero); }, 1), 1);
}

// The rows of a normalized cell are measured four at a time, so the last bits depend on how many there are.
TEST(Differences, ASequenceOfANormalizedCellIsAsIfAloneButForTheLastBits) {
  for (RecurrentCell cell : {RecurrentCell::rnn_tanh, RecurrentCell::lstm, RecurrentCell::gru}) {
    const int64_t width = gate_count(cell) * 16;
    const Tensor p = randn({4, 7, width}), weight = randn({width, 16});
    const RecurrentOptions options{.cell = cell, .norm = Norm::layer};
    const Tensor all = recurrent(p, {}, {}, {.weight_hh = weight}, options)[0];
    for (int64_t row = 0; row < 7; ++row)
      EXPECT_TENSOR_NEAR(recurrent(narrow(p, 1, row, 1), {}, {}, {.weight_hh = weight}, options)[0],
                         narrow(all, 1, row, 1), 2e-6);
  }
}

}  // namespace
}  // namespace tapegrad
