// Tapes on several threads: each has its own, models of their own train side by side, and one model used by two at
// once is an error.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <atomic>
#include <latch>
#include <thread>

namespace tapegrad {
namespace {

using ::testing::StrEq;
using ::testing::ThrowsMessage;

// y = x w: a fused operation looks at who holds w before its kernel reads w.
struct Times {
  Tensor forward(const Tensors& in, Tensors*) const { return in[0] * in[1]; }
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors&, Needs) const {
    return {dy[0] * in[1], dy[0] * in[0]};
  }
};
Tensor times(const Tensor& x, const Tensor& w) {
  return fused(
      "times", {x, w}, {}, [](const Tensors& in) { return in[0] * in[1]; }, Times{});
}

struct Model : nn::Module<Model> {
  Tensor weight = add_parameter("weight", ones({64}));
  Tensor forward(const Tensor& x) { return times(x, weight); }
};

void train(Model& model, int steps) {
  optim::SGD optimizer(model.parameters(), {.lr = 1e-3});
  const Tensor x = ones({64});
  for (int i = 0; i < steps; ++i) {
    Tape tape;
    const Tensor loss = sum(square(model(x)));
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
  }
}

TEST(Threads, ModelsOfTheirOwnTrainSideBySide) {
  Model one, two;
  std::thread other([&] { train(one, 200); });
  train(two, 200);
  other.join();
  EXPECT_TENSOR_NEAR(one.weight, two.weight, 0);
}

TEST(Threads, AModelMayWanderFromThreadToThread) {
  Model model, same;
  for (int i = 0; i < 4; ++i) std::thread([&] { train(model, 5); }).join();
  train(same, 20);
  EXPECT_TENSOR_NEAR(model.weight, same.weight, 0);
}

TEST(Threads, ALeafThatATapeOnAnotherThreadHoldsIsAnError) {
  if (reference_mode()) GTEST_SKIP() << "the first operation has another name with TAPEGRAD_REFERENCE=1";
  const char* hint =
      "the leaf [64] is in use on another thread. Hint: train a clone() of the model on each thread, and add "
      "up "
      "their gradients";
  Model model;
  const Tensor x = ones({64});
  Tape tape;
  const Tensor loss = sum(model(x));
  std::thread([&] {
    optim::SGD optimizer(model.parameters(), {.lr = 1});
    {
      Tape mine;
      EXPECT_THAT([&] { model(x); }, ThrowsMessage<AutogradError>(StrEq(std::string("Model: times: ") + hint)));
      EXPECT_THAT([&] { x* model.weight; }, ThrowsMessage<AutogradError>(StrEq(std::string("mul: ") + hint)));
      EXPECT_EQ(mine.size(), 0u);
    }
    EXPECT_THAT([&] { optimizer.zero_grad(); }, ThrowsMessage<AutogradError>(StrEq(std::string("SGD: ") + hint)));
    EXPECT_THAT([&] { optimizer.step(); }, ThrowsMessage<AutogradError>(StrEq(std::string("SGD: ") + hint)));
    EXPECT_THAT([&] { model.zero_grad(); }, ThrowsMessage<AutogradError>(StrEq(std::string("zero_grad: ") + hint)));
    EXPECT_NO_THROW(model(x));  // without a tape
  }).join();
  tape.backward(loss);
  EXPECT_TENSOR_NEAR(model.weight.grad(), x, 0);
}

TEST(Threads, OneModelOnTwoThreadsNeverRaces) {
  if (reference_mode()) GTEST_SKIP() << "mul reads its inputs first";
  Model model;
  std::latch start(2);
  std::atomic<int> failed = 0, finished = 0;
  const auto run = [&] {
    start.arrive_and_wait();
    try {
      train(model, 300);
      ++finished;
    } catch (const AutogradError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("is in use on another thread"));
      ++failed;
    }
  };
  std::thread one(run), two(run);
  one.join();
  two.join();
  EXPECT_EQ(failed + finished, 2);
  EXPECT_GE(finished, 1);
}

TEST(Threads, ATensorOfALiveTapeOnAnotherThreadIsAnError) {
  const Tensor w = ones({2}, {.requires_grad = true});
  Tape tape;
  const Tensor y = w * 2.0;
  std::thread([&] {
    Tape mine;
    EXPECT_THAT([&] { y * 2.0; }, ThrowsMessage<AutogradError>(::testing::HasSubstr("still alive")));
  }).join();
}

TEST(Threads, EachHasItsOwnObservers) {
  struct Count : TapeObserver {
    int calls = 0;
    void on_forward(const OperationView&, const Tensors&, const Tensors&) override { ++calls; }
  };
  const auto count = [] {
    Count count;
    const Tensor w = ones({2}, {.requires_grad = true});
    for (int i = 0; i < 50; ++i) {
      Tape tape({.check_finite = true, .profile = true, .observers = {&count}});
      tape.backward(sum(w * double(i)));
    }
    EXPECT_EQ(count.calls, 100);
  };
  std::thread other(count);
  count();
  other.join();
}

}  // namespace
}  // namespace tapegrad
