// What the tape promises: what is recorded and what not, how gradients accumulate, and every error's full
// text.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

namespace tapegrad {
namespace {

using ::testing::ElementsAre;
using ::testing::StrEq;
using ::testing::ThrowsMessage;

Tensor leaf(double value) { return tensor(value, {.requires_grad = true}); }

TEST(Tape, RecordsNothingOutside) {
  const Tensor w = leaf(3);
  const Tensor y = w * w;
  EXPECT_FALSE(y.is_recorded());
  Tape tape;
  EXPECT_EQ(tape.size(), 0u);
  tensor(1.0) * tensor(2.0);  // nothing here needs a gradient
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_TRUE((w * w).is_recorded());
  EXPECT_EQ(tape.size(), 2u);
  {
    NoGrad no_grad;
    EXPECT_FALSE((w * w).is_recorded());
  }
  EXPECT_TRUE((w * w).is_recorded());
}

TEST(Tape, NoGradEndsWithAnException) {
  const Tensor w = leaf(3);
  Tape tape;
  EXPECT_THROW(
      {
        NoGrad no_grad;
        ones({2}) + ones({3});
      },
      ShapeError);
  EXPECT_TRUE(is_recording());
}

TEST(Tape, AccumulatesIntoLeaves) {
  const Tensor w = leaf(3);
  for (int i = 1; i <= 2; ++i) {
    Tape tape;
    tape.backward(w * w);
    EXPECT_EQ(w.grad().item(), 6 * i);
  }
  Tensor(w).zero_grad();
  EXPECT_FALSE(w.grad().defined());
}

TEST(Tape, GradientLeavesGradAlone) {
  const Tensor w = leaf(3), unused = leaf(1);
  Tape tape;
  const Tensor y = w * w;
  const std::vector<Tensor> g = tape.gradient(y * y, {w, y, unused});
  EXPECT_EQ(g[0].item(), 108);
  EXPECT_EQ(g[1].item(), 18);
  EXPECT_EQ(g[2].item(), 0);
  EXPECT_FALSE(w.grad().defined());
}

TEST(Tape, AnEndedTapesTensorsAreValues) {
  const Tensor w = leaf(2);
  Tensor state = tensor(1.0);
  for (int step = 0; step < 3; ++step) {
    Tensor(w).zero_grad();
    Tape tape;
    state = state * w;
    tape.backward(state);
    EXPECT_EQ(tape.size(), 2u);
    EXPECT_EQ(w.grad().item(), std::pow(2, step));  // the state before counts as a number
  }
  EXPECT_FALSE(state.is_recorded());
}

TEST(Tape, NestsAsScopesDo) {
  const Tensor w = leaf(3);
  Tape outer;
  const Tensor y = w * w;
  {
    Tape inner;
    const Tensor z = w * 2.0;
    EXPECT_EQ(inner.size(), 2u);
    EXPECT_EQ(inner.gradient(z, {w})[0].item(), 2);
    EXPECT_EQ((y.detach() * w).item(), 27);
    EXPECT_THAT([&] { y* w; },
                ThrowsMessage<AutogradError>(StrEq("mul: input 0 belongs to an outer tape that is still alive, its "
                                                   "gradient would be lost here. Hint: use "
                                                   "detach() if it is meant as a value, or record both on one tape")));
  }
  outer.backward(y * w);
  EXPECT_EQ(w.grad().item(), 27);
}

TEST(Tape, KeepsTheGraphIfAsked) {
  const Tensor w = leaf(3);
  Tape tape;
  const Tensor y = w * w;
  tape.backward(y, {.retain_graph = true});
  tape.backward(y);
  EXPECT_EQ(w.grad().item(), 12);
  EXPECT_THAT([&] { tape.backward(y); },
              ThrowsMessage<AutogradError>(StrEq("backward: record 1 (mul) was used by an earlier backward "
                                                 "and freed. Hint: run the forward pass again, or pass "
                                                 "{.retain_graph = true} to the first")));
}

TEST(Tape, TakesAGradientForWhatIsNoScalar) {
  const Tensor w = tensor({1, 2}, {.requires_grad = true});
  Tape tape;
  const Tensor y = w * w;
  EXPECT_THAT([&] { tape.backward(y); },
              ThrowsMessage<AutogradError>(
                  StrEq("backward: loss must have one element, got shape [2]. Hint: call mean() or pass a gradient")));
  EXPECT_THAT([&] { tape.backward(y, {.gradient = ones({3})}); },
              ThrowsMessage<AutogradError>(
                  StrEq("backward: the gradient must have the loss's shape and dtype [2] float32, got [3] float32")));
  tape.backward(y, {.gradient = tensor({1, 10})});
  EXPECT_THAT(w.grad().to_vector<float>(), ElementsAre(2, 40));
}

TEST(Tape, RefusesWhatItDidNotRecord) {
  const Tensor w = leaf(3), y = w * w;
  EXPECT_THAT([&] { y.backward(); },
              ThrowsMessage<AutogradError>(StrEq("backward: no live tape recorded the tensor []. Hint: make the Tape "
                                                 "before the forward pass, on the same thread, use a parameter "
                                                 "with requires_grad in it, and keep the tape alive until here; "
                                                 "gradients are recorded with {.create_graph = true}")));
  Tape tape;
  EXPECT_THAT([&] { tape.backward(y); },
              ThrowsMessage<AutogradError>(StrEq("backward: this tape did not record the tensor []. Hint: make the "
                                                 "Tape before the forward pass, on the same thread, use a parameter "
                                                 "with requires_grad in it, and keep the tape alive until here; "
                                                 "gradients are recorded with {.create_graph = true}")));
  EXPECT_THAT([&] { tape.backward(Tensor()); },
              ThrowsMessage<AutogradError>(StrEq("backward: the loss is an empty handle")));
  EXPECT_THAT([&] { return tape.gradient(w * w, {tensor(1.0)}); },
              ThrowsMessage<AutogradError>(StrEq("gradient: input 0 was not recorded on this tape and is no "
                                                 "leaf. Hint: set requires_grad before the forward "
                                                 "pass")));
}

TEST(Tape, DifferentiatesTwiceAndThrice) {
  const Tensor x = tensor(1.5, {.dtype = float64, .requires_grad = true});
  Tape tape;
  const Tensor y = x * x * x * x;
  const Tensor first = tape.gradient(y, {x}, {.create_graph = true})[0];
  const Tensor second = tape.gradient(first, {x}, {.create_graph = true})[0];
  const Tensor third = tape.gradient(second, {x}, {.create_graph = true})[0];
  EXPECT_DOUBLE_EQ(first.item(), 4 * 1.5 * 1.5 * 1.5);
  EXPECT_DOUBLE_EQ(second.item(), 12 * 1.5 * 1.5);
  EXPECT_DOUBLE_EQ(third.item(), 24 * 1.5);
  EXPECT_DOUBLE_EQ(tape.gradient(third, {x})[0].item(), 24);
}

TEST(Tape, AddsThePenaltyOfAGradient) {  // d/dw (dy/dx)^2 with y = tanh(w x)
  const Tensor w = tensor(0.7, {.dtype = float64, .requires_grad = true});
  const Tensor x = tensor(0.3, {.dtype = float64, .requires_grad = true});
  Tape tape;
  const Tensor dydx = tape.gradient(tanh(w * x), {x}, {.create_graph = true})[0];
  tape.backward(dydx * dydx);
  const double y = std::tanh(0.7 * 0.3), slope = 1 - y * y;
  EXPECT_NEAR(w.grad().item(), 2 * (0.7 * slope) * (slope - 2 * 0.7 * 0.3 * y * slope), 1e-14);
}

TEST(Tape, FindsAChangeInPlace) {
  const Tensor w = tensor({1, 2}, {.requires_grad = true});
  Tensor x = tensor({3, 4});
  Tape tape;
  const Tensor loss = sum(w * x);
  x.fill_(5);
  EXPECT_THAT([&] { tape.backward(loss); },
              ThrowsMessage<AutogradError>(StrEq("mul: the tensor [2] that the forward pass saved was "
                                                 "changed in place since (version 1, saved at 0). Hint: go "
                                                 "backward first, or change a clone()")));
}

TEST(Tape, FindsAChangeThroughAView) {
  const Tensor w = tensor({1, 2}, {.requires_grad = true});
  const Tensor x = tensor({3, 4});
  Tape tape;
  const Tensor loss = sum(w * x);
  x.reshape({2, 1}).fill_(5);
  EXPECT_THROW(tape.backward(loss), AutogradError);
}

TEST(Tape, AddsUpOverDiamonds) {
  const Tensor a = leaf(3);
  Tape tape;
  const Tensor b = a * 2.0, c = b * b, d = b + c;
  tape.backward(d + b * 1.0);  // 2a + 4a^2 + 2a: 4 + 8a
  EXPECT_EQ(a.grad().item(), 28);
}

TEST(Tape, SumsOverTheUsesOfAnInput) {
  const Tensor x = leaf(3);
  Tape tape;
  tape.backward(x * x + x * x * x - (x + x) * x);  // 3x^2 + 2x - 4x
  EXPECT_EQ(x.grad().item(), 21);
}

TEST(Tape, FailsForAWrongNumberOfGradients) {
  const Tensor w = leaf(3);
  Tape tape;
  const Tensor y = record("two", tensor(1.0), {w, w}, [](const Tensor& dy) -> Gradients { return {dy}; });
  EXPECT_THAT(
      [&] { tape.backward(y); },
      ThrowsMessage<AutogradError>(StrEq("two: the backward function must return one gradient per input (2), got 1")));
  const Tensor z = record("one", tensor(1.0), {w}, [](const Tensor& dy) -> Gradients { return {dy, dy}; });
  EXPECT_THAT(
      [&] { tape.backward(z); },
      ThrowsMessage<AutogradError>(StrEq("one: the backward function must return one gradient per input (1), got 2")));
}

// A parameter that an operation returns stays the leaf that it is; the operation has a handle of its own.
TEST(Tape, GivesAHandleOfItsOwnToAnOperationThatReturnsAStrangersLeaf) {
  const Tensor w = tensor(2.0, {.requires_grad = true}), other = tensor(5.0, {.requires_grad = true});
  Tape tape;
  const Tensor y = record("stranger", other, {w}, [](const Tensor& dy) -> Gradients { return {3.0 * dy}; });
  EXPECT_FALSE(y.requires_grad());
  tape.backward(y);
  EXPECT_EQ(w.grad().item(), 3);
  EXPECT_FALSE(other.grad().defined());
  EXPECT_FALSE(other.is_recorded());
}

TEST(Tape, FailsForAGradientOfTheWrongShape) {
  const Tensor w = tensor({1, 2}, {.requires_grad = true});
  Tape tape;
  const Tensor y = record("shape", tensor(1.0), {w}, [](const Tensor&) -> Gradients { return {ones({3})}; });
  EXPECT_THAT([&] { tape.backward(y); },
              ThrowsMessage<AutogradError>(StrEq(
                  "shape: the gradient of input 0 must have its shape [2] or one that it broadcasts to, got [3]")));
  const Tensor z =
      record("dtype", tensor(1.0), {w}, [](const Tensor&) -> Gradients { return {ones({2}, {.dtype = float64})}; });
  EXPECT_THAT([&] { tape.backward(z); },
              ThrowsMessage<AutogradError>(StrEq("dtype: the gradient of input 0 must be float32, got float64")));
}

TEST(Tape, NamesWhatMadeTheFirstNaN) {
  const Tensor w = tensor({1, -2}, {.requires_grad = true});
  Tape tape({.check_finite = true});
  EXPECT_THAT([&] { sqrt(w); },
              ThrowsMessage<AutogradError>(
                  StrEq("sqrt: made a value that is not finite from finite inputs: input 0 [2] in [-2, 1]")));
}

TEST(Tape, NamesTheTimeStepOfTheFirstNaN) {
  const Tensor w = tensor({1, -2}, {.requires_grad = true});
  Tape tape({.check_finite = true});
  const detail::StepScope step(3);
  EXPECT_THAT([&] { sqrt(w); },
              ThrowsMessage<AutogradError>(StrEq("sqrt: made a value that is not finite at time step 3 from "
                                                 "finite inputs: input 0 [2] in [-2, 1]")));
}

TEST(Tape, NamesTheBackwardThatMadeTheFirstInfinity) {
  const Tensor w = tensor({0, 4}, {.requires_grad = true});
  Tape tape({.check_finite = true});
  const Tensor loss = sum(sqrt(w));
  EXPECT_THAT([&] { tape.backward(loss); },
              ThrowsMessage<AutogradError>(
                  StrEq("backward: sqrt made a gradient of input 0 that is not finite from a finite one in [1, 1]")));
}

TEST(Tape, NamesWhereNaNFromOutsideCameIn) {
  nn::Sequential net(nn::Linear(2, 3), nn::ReLU());
  Tensor x = ones({4, 2});
  x.copy_(tensor({{1, 1}, {NAN, 1}, {1, 1}, {1, NAN}}));
  Tape tape({.check_finite = true});
  EXPECT_THAT([&] { net(x); },
              ThrowsMessage<AutogradError>(
                  StrEq(std::string("0 (Linear): ") + (reference_mode() ? "matmul: " : "") +
                        "input 0 came with NaN in 2 of 8 values. Hint: no operation on this tape made it, look for it "
                        "in the data and in the parameters")));
  EXPECT_EQ(sum(where(ne(x, x), 0.0, x)).item(), 6) << "what is masked out is no error";
}

TEST(Tape, SaysThatALossIsNaN) {
  const Tensor w = tensor({1, 1}, {.requires_grad = true});
  Tape tape({.check_finite = true});
  const Tensor loss = sum(w * tensor({INFINITY, -INFINITY}));
  EXPECT_THAT([&] { tape.backward(loss); },
              ThrowsMessage<AutogradError>(
                  StrEq("backward: the loss is NaN. Hint: no operation made that of finite values, look for an "
                        "infinity in the data and in the parameters")));
}

TEST(Tape, CanBePrinted) {
  const Tensor a = tensor({1, 2}, {.requires_grad = true});
  Tape tape;
  sum(tanh(a * 2.0));
  EXPECT_EQ(to_string(tape),
            "     #  operation  inputs  shape      saved  module\n"
            "     0  leaf               [2]            0\n"
            "     1  mul        0       [2]            0\n"
            "     2  tanh       1       [2]            8\n"
            "     3  sum        2       []             0\n"
            "4 records, 8 bytes saved\n");
}

TEST(Tape, CanBeDrawn) {
  const Tensor a = leaf(1);
  Tape tape;
  a* a;
  EXPECT_EQ(tape.dot(),
            "digraph tape {\n"
            "  node [shape=box, fontname=\"Helvetica\"];\n"
            "  n0 [label=\"0 leaf\\n[]\", style=filled, fillcolor=\"#e8f0fe\"];\n"
            "  n1 [label=\"1 mul\\n[]\"];\n"
            "  n0 -> n1;\n"
            "  n0 -> n1;\n"
            "}\n");
}

struct Inner : nn::Module<Inner> {
  nn::Parameter weight = add_parameter("weight", ones({3}));
  Tensor forward(const Tensor& x) { return x * weight; }
};
struct Outer : nn::Module<Outer> {
  Inner first = add("first", Inner());
  Tensor forward(const Tensor& x) { return tanh(first(x)); }
};

TEST(Tape, KnowsTheModule) {
  Outer model;
  Tape tape;
  model(ones({2, 3}));
  ASSERT_EQ(tape.size(), 3u);
  EXPECT_EQ(tape[1].op, "mul");
  EXPECT_EQ(tape[1].module, "first");
  EXPECT_THAT(tape[1].inputs, ElementsAre(-1, 0));
  EXPECT_EQ(tape[2].module, "");
  EXPECT_THAT([&] { model(ones({2, 4})); }, ThrowsMessage<ShapeError>(::testing::StartsWith("first (Inner): mul: ")));
}

TEST(Tape, TakesTimes) {
  const Tensor a = leaf(1);
  Tape tape({.profile = true});
  tape.backward(a * a + a * a);
  int64_t calls = 0;
  for (const ProfileRow& row : tape.profile())
    if (row.op == "mul") calls = row.calls;
  EXPECT_EQ(calls, 2);
  EXPECT_THAT([] { Tape().profile(); },
              ThrowsMessage<ValueError>(::testing::StartsWith("profile: this tape takes no times.")));
}

}  // namespace
}  // namespace tapegrad
