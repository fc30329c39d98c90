// fused(): one operation with a kernel, its definition made of simple operations, and what the tape keeps.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

namespace tapegrad {
namespace {

using ::testing::StrEq;
using ::testing::ThrowsMessage;

// How often each function ran, and with what it was asked.
struct Calls {
  int composed = 0, forward = 0, backward = 0;
  bool was_recorded = false, was_recording = false;
  Needs needs;
};

Tensor cube_composed(const Tensors& in) { return in[0] * in[0] * in[0] * in[1]; }

// y = x^3 w, with x^2 kept.
struct Cube {
  Calls* calls;

  Tensor forward(const Tensors& in, Tensors* kept) const {
    ++calls->forward;
    calls->was_recorded = kept != nullptr;
    calls->was_recording = is_recording();
    const Tensor square = in[0] * in[0];
    if (kept) kept->push_back(square);
    return square * in[0] * in[1];
  }
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const {
    ++calls->backward;
    calls->needs = needs;
    return {needs[0] ? dy[0] * kept[0] * 3.0 * in[1] : Tensor(), needs[1] ? dy[0] * kept[0] * in[0] : Tensor()};
  }
};

Tensor cube(const Tensor& x, const Tensor& w, Calls& calls) {
  const auto composed = [&calls](const Tensors& in) {
    ++calls.composed;
    return cube_composed(in);
  };
  return fused("cube", {x, w}, {{"exponent", 3}}, composed, Cube{&calls});
}

Tensor leaf(std::initializer_list<double> values) { return tensor(values, {.dtype = float64, .requires_grad = true}); }

// The suite runs with TAPEGRAD_REFERENCE=1, too, where the kernel stands aside.
#define SKIP_IN_REFERENCE_MODE() \
  if (reference_mode()) GTEST_SKIP() << "the kernel does not run with TAPEGRAD_REFERENCE=1"

TEST(Fused, HasTheGradientsOfItsDefinition) {
  Calls calls;
  const auto f = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> { return {cube(in[0], in[1], calls)}; };
  const std::vector<Tensor> inputs{tensor({0.5, -1.5, 2}, {.dtype = float64}),
                                   tensor({1.25, 2, -0.5}, {.dtype = float64})};
  const GradcheckReport first = gradcheck(f, inputs), second = gradgradcheck(f, inputs);
  EXPECT_TRUE(first.ok) << first.message;
  EXPECT_TRUE(second.ok) << second.message;
}

TEST(Fused, LeavesOneRecordAndRunsItsKernelUnrecorded) {
  SKIP_IN_REFERENCE_MODE();
  Calls calls;
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  Tape tape;
  const Tensor y = cube(x, w, calls);
  ASSERT_EQ(tape.size(), 3u);  // two leaves
  EXPECT_EQ(tape[2].op, "cube");
  EXPECT_EQ(tape[2].saved_bytes, 6 * sizeof(double));
  EXPECT_TRUE(calls.was_recorded);
  EXPECT_FALSE(calls.was_recording);
  EXPECT_TENSOR_NEAR(y, tensor({3, 32}, {.dtype = float64}), 0);
  tape.backward(sum(y));
  EXPECT_EQ(calls.backward, 1);
  EXPECT_EQ(calls.composed, 0);
  EXPECT_FALSE(calls.needs.again);
}

TEST(Fused, KeepsNothingWhereNothingIsRecorded) {
  SKIP_IN_REFERENCE_MODE();
  Calls calls;
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  cube(x, w, calls);
  EXPECT_FALSE(calls.was_recorded);
  Tape tape;
  cube(x.detach(), w.detach(), calls);
  EXPECT_FALSE(calls.was_recorded);
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Fused, TellsTheKernelWhichGradientsAreNeeded) {
  SKIP_IN_REFERENCE_MODE();
  Calls calls;
  const Tensor x = leaf({1, 2}), w = tensor({3, 4}, {.dtype = float64});
  Tape tape;
  tape.backward(sum(cube(x, w, calls)), {.retain_graph = true});
  EXPECT_TRUE(calls.needs[0]);
  EXPECT_FALSE(calls.needs[1]);
  EXPECT_TRUE(calls.needs.again);
}

TEST(Fused, ReplaysItsDefinitionWhenTheBackwardPassIsRecorded) {
  SKIP_IN_REFERENCE_MODE();
  Calls calls;
  const Tensor x = leaf({2}), w = leaf({3});
  Tape tape;
  const Tensor y = sum(cube(x, w, calls));
  const Tensor dx = tape.gradient(y, {x}, {.create_graph = true})[0];
  EXPECT_EQ(calls.composed, 1);
  EXPECT_EQ(calls.backward, 0);
  EXPECT_EQ(tape.gradient(sum(dx), {x})[0].item(), 6 * 2 * 3);
}

TEST(Fused, RefusesAnInputThatWasChangedSince) {
  SKIP_IN_REFERENCE_MODE();
  Calls calls;
  Tensor x = leaf({2}), w = leaf({3});
  Tape tape;
  const Tensor y = sum(cube(x, w, calls));
  {
    NoGrad no_grad;
    w += 1;
  }
  EXPECT_THAT([&] { tape.backward(y); },
              ThrowsMessage<AutogradError>(
                  StrEq("cube: the tensor [1] that the forward pass saved was changed in place since (version 1, "
                        "saved at 0). Hint: go backward first, or change a clone()")));
}

// Two outputs, x + w and x w.
struct SumAndProduct {
  Tensors forward(const Tensors& in, Tensors*) const { return {in[0] + in[1], in[0] * in[1]}; }
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors&, Needs) const {
    Gradients dx{Tensor(), Tensor()};
    for (size_t i = 0; i < 2; ++i) {
      if (dy[0].defined()) dx[i] = dy[0];
      if (!dy[1].defined()) continue;
      const Tensor part = dy[1] * in[1 - i];
      dx[i] = dx[i].defined() ? dx[i] + part : part;
    }
    return dx;
  }
};

TEST(Fused, TakesSeveralOutputs) {
  const auto f = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const Tensors both = fused(
        "sum_and_product", {in[0], in[1]}, {},
        [](const Tensors& in) -> Tensors {
          return {in[0] + in[1], in[0] * in[1]};
        },
        SumAndProduct{});
    return {both[0], both[1]};
  };
  const std::vector<Tensor> inputs{tensor({0.5, -1.5}, {.dtype = float64}), tensor({1.25, 2}, {.dtype = float64})};
  const GradcheckReport first = gradcheck(f, inputs), second = gradgradcheck(f, inputs);
  EXPECT_TRUE(first.ok) << first.message;
  EXPECT_TRUE(second.ok) << second.message;
  Tensor x = leaf({2}), w = leaf({5});
  Tape tape;
  tape.backward(f({x, w})[1]);  // the first output has no gradient
  EXPECT_EQ(x.grad().item(), 5);
}

// y = exp(x), which needs only y.
struct Exp {
  int* backwards;
  Tensor forward(const Tensors& in, Tensors* kept) const {
    const Tensor y = exp(in[0]);
    if (kept) kept->push_back(y);
    return y;
  }
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs) const {
    ++*backwards;
    EXPECT_TRUE(in.empty());
    return {dy[0] * kept[0]};
  }
};

TEST(Fused, ADerivativeStandsInForReplayAndForTheInputs) {
  int backwards = 0, derivatives = 0;
  const auto derivative = [&derivatives](const Tensors& dy, const Tensors& kept, Needs) -> Gradients {
    ++derivatives;
    return {dy[0] * kept[0]};
  };
  const auto f = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    return {fused(
        "exp_of_test", {in[0]}, {}, [](const Tensors& in) { return exp(in[0]); }, Exp{&backwards}, derivative)};
  };
  const std::vector<Tensor> inputs{tensor({0.5, -1.5}, {.dtype = float64})};
  const GradcheckReport first = gradcheck(f, inputs), second = gradgradcheck(f, inputs);
  EXPECT_TRUE(first.ok) << first.message;
  EXPECT_TRUE(second.ok) << second.message;
  SKIP_IN_REFERENCE_MODE();
  EXPECT_GT(backwards, 0);
  EXPECT_GT(derivatives, 0);
  const Tensor x = leaf({2, 3, 4});
  Tape tape;
  f({x});
  EXPECT_EQ(tape[1].saved_bytes, 3 * sizeof(double));
}

// The kernel has a forward pass only; the derivative is all of the backward pass.
struct Square {
  Tensor forward(const Tensors& in, Tensors* kept) const {
    if (kept) kept->push_back(in[0]);
    return in[0] * in[0];
  }
};

TEST(Fused, AKernelMayLeaveTheBackwardPassToTheDerivative) {
  const auto f = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    return {fused(
        "square_of_test", {in[0]}, {}, [](const Tensors& in) { return in[0] * in[0]; }, Square{},
        [](const Tensors& dy, const Tensors& kept, Needs) -> Gradients { return {dy[0] * kept[0] * 2.0}; })};
  };
  const std::vector<Tensor> inputs{tensor({0.5, -1.5}, {.dtype = float64})};
  const GradcheckReport first = gradcheck(f, inputs), second = gradgradcheck(f, inputs);
  EXPECT_TRUE(first.ok) << first.message;
  EXPECT_TRUE(second.ok) << second.message;
}

// Writes the gradient to the memory that it kept, as long as nobody will ask again.
struct InPlace {
  Tensor forward(const Tensors& in, Tensors* kept) const {
    const Tensor twice = in[0] * 2.0;
    if (kept) kept->push_back(twice);
    return in[0] * in[0];
  }
  Gradients backward(const Tensors& dy, const Tensors&, const Tensors& kept, Needs needs) const {
    Tensor dx = needs.again ? kept[0].clone() : kept[0];
    for (double& value : dx.mutable_data<double>()) value *= dy[0].item();
    return {dx};
  }
};

TEST(Fused, AKernelMayWriteItsGradientToWhatItKept) {
  const auto square = [](const Tensor& x) {
    return fused(
        "in_place", {x}, {}, [](const Tensors& in) { return in[0] * in[0]; }, InPlace{});
  };
  const Tensor x = leaf({3});
  Tape tape;
  const Tensor y = square(x);
  tape.backward(y, {.retain_graph = true});
  tape.backward(y);
  EXPECT_EQ(x.grad().item(), 12);
}

}  // namespace
}  // namespace tapegrad
