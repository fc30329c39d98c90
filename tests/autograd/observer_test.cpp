// Observers: what they are told, in which order, and that one that throws leaves everything as it was.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <functional>
#include <stdexcept>

namespace tapegrad {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StrEq;
using ::testing::ThrowsMessage;

// Writes down what it is told, and throws where it is told to.
struct Diary : TapeObserver {
  std::vector<std::string> lines;
  std::string throw_at;

  void write(const std::string& line) {
    lines.push_back(line);
    if (line == throw_at) throw std::runtime_error(line);
  }
  void on_forward(const OperationView& op, const Tensors& inputs, const Tensors& outputs) override {
    write(fmt::format("{} #{} {} -> {}", op.name, op.record, inputs.size(), outputs.size()));
  }
  void on_loss(const Tensor& loss) override { write(fmt::format("loss {}", loss.item())); }
  void on_backward(const OperationView& op, const Tensors& dy, const Tensors& dx) override {
    write(fmt::format("{} #{} backward {} -> {}", op.name, op.record, dy[0].item(), dx[0].item()));
  }
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override {
    write(fmt::format("leaf {}: {}", leaf.item(), gradient.item()));
  }
};

Tensor leaf(double value) { return tensor(value, {.requires_grad = true}); }

TEST(TapeObserver, IsToldOfEachOperationForwardAndBackward) {
  Diary diary;
  const Tensor w = leaf(3);
  Tape tape({.observers = {&diary}});
  const Tensor y = w * w, constant = tensor(2.0) * 5.0;
  tape.backward(y + constant);
  EXPECT_THAT(diary.lines, ElementsAre("mul #1 2 -> 1", "mul #-1 1 -> 1", "add #2 2 -> 1", "loss 19",
                                       "add #2 backward 1 -> 1", "mul #1 backward 1 -> 3", "leaf 3: 6"));
}

TEST(TapeObserver, SeveralAreToldInTheirOrder) {
  std::vector<int> order;
  struct Mark : TapeObserver {
    std::vector<int>* order;
    int number;
    Mark(std::vector<int>* order, int number) : order(order), number(number) {}
    void on_forward(const OperationView&, const Tensors&, const Tensors&) override { order->push_back(number); }
  };
  Mark first(&order, 1), second(&order, 2);
  const Tensor w = leaf(3);
  Tape tape({.check_finite = true, .profile = true, .observers = {&first, &second}});
  w* w;
  EXPECT_THAT(order, ElementsAre(1, 2));
  EXPECT_THAT([&] { log(w * 0.0 - 1.0); }, ThrowsMessage<AutogradError>(::testing::StartsWith("log: made a value")));
  EXPECT_EQ(tape.profile().size(), 3u);  // leaf, mul, sub
}

TEST(TapeObserver, LearnsOfALeafOnceWhenItsGradientIsComplete) {
  Diary diary;
  const Tensor a = leaf(2), b = leaf(5);
  Tensor(a).set_grad(tensor(100.0));
  Tape tape({.observers = {&diary}});
  const Tensor loss = a * b + a * a * b;
  diary.lines.clear();
  tape.backward(loss);
  std::vector<std::string> leaves;
  for (const std::string& line : diary.lines)
    if (line.starts_with("leaf")) leaves.push_back(line);
  EXPECT_THAT(leaves, ElementsAre("leaf 5: 6", "leaf 2: 25"));  // b + 2ab, a + a^2
  EXPECT_EQ(a.grad().item(), 125);
}

TEST(TapeObserver, LearnsOfALeafOnceThoughAnInnerTapeUsedIt) {
  Diary diary;
  const Tensor a = leaf(2);
  Tape tape({.observers = {&diary}});
  const Tensor y = a * a;
  {
    Tape inner;
    inner.backward(a * 7.0);
  }
  const Tensor loss = y + a;
  EXPECT_EQ(tape.size(), 3u);
  diary.lines.clear();
  tape.backward(loss);
  EXPECT_THAT(diary.lines.back(), StrEq("leaf 2: 5"));
  EXPECT_EQ(a.grad().item(), 12);
}

TEST(TapeObserver, IsNotToldOfWhatItComputesItself) {
  struct Norms : TapeObserver {
    int calls = 0;
    double total = 0;
    void on_forward(const OperationView&, const Tensors&, const Tensors& outputs) override {
      ++calls;
      EXPECT_FALSE(is_recording());
      total += norm(outputs[0]).item();
    }
  } norms;
  const Tensor w = leaf(3);
  Tape tape({.observers = {&norms}});
  w* w;
  EXPECT_EQ(norms.calls, 1);
  EXPECT_EQ(norms.total, 9);
  EXPECT_EQ(tape.size(), 2u);
}

TEST(TapeObserver, SeesWhatRunsUnderNoGradAndNotWhatRunsOnAnInnerTape) {
  Diary diary;
  const Tensor w = leaf(3);
  Tape tape({.observers = {&diary}});
  {
    NoGrad no_grad;
    w* w;
  }
  {
    Tape inner;
    w + w;
  }
  w - 1.0;
  EXPECT_THAT(diary.lines, ElementsAre("mul #-1 2 -> 1", "sub #1 1 -> 1"));
}

struct Doubled : nn::Module<Doubled> {
  Tensor forward(const Tensor& x) { return record("doubled", x * 2.0, {x}, {{"factor", 2.0}}, vjp); }
  static Gradients vjp(const Tensor& dy) { return {dy * 2.0}; }
};
struct Net : nn::Module<Net> {
  Doubled part = add("part", Doubled());
  Tensor forward(const Tensor& x) { return part(x); }
};

TEST(TapeObserver, KnowsModuleStepAndAttributes) {
  struct Look : TapeObserver {
    std::string module;
    int64_t step = 0;
    std::vector<Attribute> attributes;
    void on_forward(const OperationView& op, const Tensors&, const Tensors&) override {
      if (std::string_view(op.name) != "doubled") return;
      module = op.module();
      step = op.step;
      attributes.assign(op.attributes.begin(), op.attributes.end());
    }
  } look;
  Net net;
  Tape tape({.observers = {&look}});
  const detail::StepScope step(4);
  net(leaf(1));
  EXPECT_EQ(look.module, "part");
  EXPECT_EQ(look.step, 4);
  ASSERT_EQ(look.attributes.size(), 1u);
  EXPECT_STREQ(look.attributes[0].name, "factor");
  EXPECT_EQ(std::get<double>(look.attributes[0].value), 2);
}

TEST(TapeObserver, ThatThrowsForwardLeavesNoRecord) {
  Diary diary;
  const Tensor a = leaf(2), b = leaf(3);
  Tape tape({.observers = {&diary}});
  const Tensor y = a * a;
  const size_t size = tape.size(), saved = tape.saved_bytes();
  diary.throw_at = "mul #3 2 -> 1";
  Tensor z;
  EXPECT_THROW(z = y * b, std::runtime_error);  // b is not on the tape yet
  EXPECT_FALSE(z.defined());
  EXPECT_EQ(tape.size(), size);
  EXPECT_EQ(tape.saved_bytes(), saved);
  EXPECT_EQ(tape.leaves().size(), 1u);
  EXPECT_FALSE(b.grad().defined());
  diary.throw_at = "";
  z = y * b;  // and the same works afterwards
  tape.backward(z);
  EXPECT_EQ(a.grad().item(), 12);
  EXPECT_EQ(b.grad().item(), 4);
}

TEST(TapeObserver, ThatThrowsForwardDoesNotTouchAnInputThatIsReturned) {
  Diary diary;
  const Tensor a = leaf(2);
  Tape tape({.observers = {&diary}});
  const Tensor y = a * a;
  diary.throw_at = "same #2 1 -> 1";
  EXPECT_THROW(record("same", y, {y}, [](const Tensor& dy) -> Gradients { return {dy}; }), std::runtime_error);
  EXPECT_TRUE(y.is_recorded());
  tape.backward(y);
  EXPECT_EQ(a.grad().item(), 4);
}

// Whatever is thrown at, in each place: gradients, records and versions are as before, and the pass can be run.
class Throwing : public ::testing::TestWithParam<const char*> {};

TEST_P(Throwing, BackwardChangesNothing) {
  Diary diary;
  const Tensor a = leaf(2), b = leaf(3);
  Tensor(a).set_grad(tensor(1.0));
  Tape tape({.observers = {&diary}});
  const Tensor flat = tanh(a * b) * 0.0;
  const Tensor loss = flat + a * a * b;
  diary.throw_at = GetParam();
  const std::string table = to_string(tape);
  EXPECT_THROW(tape.backward(loss), std::runtime_error);
  EXPECT_EQ(to_string(tape), table);
  EXPECT_EQ(a.grad().item(), 1);
  EXPECT_EQ(a.grad().version(), 0u);
  EXPECT_FALSE(b.grad().defined());
  EXPECT_TRUE(is_recording());
  EXPECT_THROW(tape.gradient(loss, {a}, {.create_graph = true}), std::runtime_error);
  EXPECT_EQ(to_string(tape), table);
  diary.throw_at = "";
  tape.backward(loss);
  EXPECT_EQ(a.grad().item(), 13);
  EXPECT_EQ(b.grad().item(), 4);
  EXPECT_THAT([&] { tape.backward(loss); }, ThrowsMessage<AutogradError>(::testing::HasSubstr("and freed")));
}

INSTANTIATE_TEST_SUITE_P(TapeObserver, Throwing,
                         ::testing::Values("loss 12", "add #7 backward 1 -> 1", "mul #2 backward 0 -> 0"));

TEST(TapeObserver, ThatThrowsAtALeafChangesNoGradient) {
  Diary diary;
  const Tensor a = leaf(2), b = leaf(3);
  Tape tape({.observers = {&diary}});
  const Tensor loss = a * b;
  diary.throw_at = "leaf 2: 3";  // the second: b was told before
  EXPECT_THROW(tape.backward(loss), std::runtime_error);
  EXPECT_FALSE(a.grad().defined());
  EXPECT_FALSE(b.grad().defined());
  diary.throw_at = "";
  tape.backward(loss);
  EXPECT_EQ(b.grad().item(), 2);
}

TEST(TapeObserver, LeavesTheGradientsAsTheyAreWithoutIt) {
  Diary diary;
  const auto gradient = [&](std::vector<TapeObserver*> observers) {
    manual_seed(0);
    nn::LSTM lstm(3, 4);
    Tape tape({.check_finite = !observers.empty(), .profile = !observers.empty(), .observers = observers});
    tape.backward(sum(square(lstm(randn({5, 2, 3})).output)));
    std::vector<Tensor> gradients;
    for (const Tensor& p : lstm.parameters()) gradients.push_back(p.grad());
    return gradients;
  };
  struct Nothing : TapeObserver {
  } nothing;
  const std::vector<Tensor> with = gradient({&nothing}), without = gradient({});
  for (size_t i = 0; i < with.size(); ++i) EXPECT_TENSOR_NEAR(with[i], without[i], 0);
}

TEST(Trace, KeepsARecordOfWhatNeedsNoGradient) {
  const Tensor w = tensor({1, -2}, {.requires_grad = true}), x = tensor({3, 4});
  Tape tape({.trace = true});
  const Tensor scale = x * 2.0;
  const Tensor mask = gt(w, 0);
  const Tensor y = where(mask, w * scale, 0.0);
  ASSERT_EQ(tape.size(), 5u);
  std::vector<std::string> ops;
  for (size_t i = 0; i < tape.size(); ++i) ops.push_back(tape[i].op);
  EXPECT_EQ(ops[0], "mul");
  EXPECT_EQ(ops[1], "leaf");
  EXPECT_EQ(ops[2], "gt");
  EXPECT_EQ(ops[3], "mul");
  EXPECT_THAT(tape[0].inputs, ElementsAre(-1));
  EXPECT_THAT(tape[2].inputs, ::testing::Contains(1));
  EXPECT_THAT(tape[3].inputs, ElementsAre(1, 0));
  EXPECT_FALSE(scale.is_recorded());
  EXPECT_TRUE(y.is_recorded());
  tape.backward(sum(y));
  EXPECT_TENSOR_NEAR(w.grad(), tensor({6, 0}), 0);
}

TEST(Trace, LeavesConstantsAsTheyAre) {
  Tape tape({.trace = true});
  Tensor x = tensor({3, 4}) * 2.0;
  x += 1.0;  // a recorded tensor could not be changed in place
  x.set_requires_grad();
  tape.backward(sum(x * x));
  EXPECT_TENSOR_NEAR(x.grad(), tensor({14, 18}), 0);
  const Tensor constant = tensor(1.0) * 2.0;
  EXPECT_THAT([&] { tape.backward(constant); },
              ThrowsMessage<AutogradError>(::testing::HasSubstr("this tape did not record the tensor []")));
  {
    Tape inner;
    EXPECT_NO_THROW(leaf(1) * constant);  // no gradient is lost
  }
}

TEST(Trace, KeepsAttributes) {
  const auto attributes_of = [](TapeOptions options) {
    const std::string text = "of the program";  // does not outlive the record, the attribute does
    Tape tape(std::move(options));
    (void)record("op", leaf(1) * 1.0, {leaf(1)},
                 {{"flag", true}, {"count", 3}, {"eps", 0.5}, {"mode", std::string_view(text)}, {"shape", Shape{2, 3}}},
                 [](const Tensor& dy) -> Gradients { return {dy}; });
    return tape[tape.size() - 1].attributes;
  };
  const std::vector<Attribute> kept = attributes_of({.trace = true});
  ASSERT_EQ(kept.size(), 5u);
  EXPECT_EQ(std::get<bool>(kept[0].value), true);
  EXPECT_EQ(std::get<int64_t>(kept[1].value), 3);
  EXPECT_EQ(std::get<double>(kept[2].value), 0.5);
  EXPECT_EQ(std::get<std::string_view>(kept[3].value), "of the program");
  EXPECT_EQ(std::get<Shape>(kept[4].value), (Shape{2, 3}));
  EXPECT_STREQ(kept[4].name, "shape");
  EXPECT_THAT(attributes_of({}), IsEmpty());
}

TEST(Trace, RecordsNothingUnderNoGrad) {
  Tape tape({.trace = true});
  NoGrad no_grad;
  tensor(1.0) * 2.0;
  EXPECT_EQ(tape.size(), 0u);
}

TEST(Trace, GivesSecondDerivatives) {
  const Tensor x = leaf(2);
  Tape tape({.trace = true});
  const Tensor half = tensor(1.0) * 0.5;
  const Tensor y = x * x * x * half;
  const Tensor dx = tape.gradient(y, {x}, {.create_graph = true})[0];
  EXPECT_EQ(dx.item(), 6);
  EXPECT_EQ(tape.gradient(dx, {x})[0].item(), 6);
}

}  // namespace
}  // namespace tapegrad
