// A tape outside the training loop: what has gone backward is dropped, and everything else is as it was.
#include <tapegrad/memory.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "support/message.h"

namespace tapegrad {
namespace {

Tensor leaf(const Shape& shape) { return ones(shape, {.requires_grad = true}); }

TEST(DroppedRecords, LeaveATapeOutsideTheLoopAsLongAsOneStep) {
  const Tensor w = leaf({8, 8}), b = leaf({8}), x = randn({4, 8});
  Tape tape;
  const auto steps = [&](int n) {
    for (int i = 0; i < n; ++i) {
      const Tensor y = tanh(matmul(x, w) + b);
      const Tensor watched = mean(y * y);  // never goes backward
      tape.backward(sum(y), {});
    }
    return memory::stats().in_use;
  };
  const size_t before = steps(100);
  EXPECT_EQ(steps(10'000), before);
  EXPECT_EQ(tape.size(), 10'100u * 8);
  EXPECT_EQ(tape.kept_records().size(), 8u);
  EXPECT_EQ(tape.kept_records()[0], 10'099u * 8);
  EXPECT_EQ(tape.leaves().size(), 2u);
}

TEST(DroppedRecords, LeaveWhatHasNotGoneBackward) {
  Tensor w = leaf({3});
  Tape tape;
  const Tensor first = w * w, kept = sum(first * first);
  const auto step = [&] {
    const Tensor y = exp(w * 2);
    tape.backward(sum(y));
    return y;
  };
  step();
  const size_t before = memory::stats().in_use;
  for (int i = 0; i < 1'000; ++i) step();
  EXPECT_LE(memory::stats().in_use, before + 8192);  // a second arena
  EXPECT_EQ(tape.kept_records().size(), 7u);
  w.zero_grad();
  tape.backward(kept);
  EXPECT_TENSOR_NEAR(w.grad(), full({3}, 4), 0);
  EXPECT_EQ(tape[0].op, "leaf");
  EXPECT_EQ(tape[1].op, "mul");
}

TEST(DroppedRecords, AnswerAsBeforeWhenAnOldTensorIsUsed) {
  const Tensor w = leaf({2}), other = leaf({2});
  Tape tape;
  const Tensor old = w * w, loss = sum(old);
  tape.backward(loss);
  const std::string text =
      "backward: record 1 (mul) was used by an earlier backward and freed. Hint: run the forward pass again, "
      "or pass {.retain_graph = true} to the first";
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(old.is_recorded());
    const Tensor again = sum(old * other);
    EXPECT_EQ(message<AutogradError>([&] { tape.backward(again); }), text);
    tape.backward(sum(other));
  }
  EXPECT_EQ(message<AutogradError>([&] { tape.backward(loss); }),
            "backward: record 2 (sum) was used by an earlier backward and freed. Hint: run the forward pass "
            "again, or pass {.retain_graph = true} to the first");
  const Tensor apart = sum(other * 2);
  EXPECT_TENSOR_NEAR(tape.gradient(apart, {old})[0], zeros({2}), 0);
  EXPECT_EQ(message<IndexError>([&] { tape[1]; }),
            "tape: record 1 went backward and was dropped. Hint: Tape tape({.trace = true}) keeps all records");
}

TEST(DroppedRecords, AreNamedInTheTableAndKeptByATapeThatTraces) {
  const Tensor w = leaf({2});
  Tape tape;
  for (int i = 0; i < 2; ++i) tape.backward(sum(w * w));
  EXPECT_EQ(to_string(tape),
            "     #  operation  inputs  shape      saved  module\n"
            "     3  leaf               [2]            0\n"
            "     4  mul        3 3     [2]           16\n"
            "     5  sum        4       []             0\n"
            "6 records (3 dropped), 16 bytes saved\n");
  Tape traced({.trace = true});
  for (int i = 0; i < 2; ++i) traced.backward(sum(w * w));
  EXPECT_EQ(traced.kept_records().size(), traced.size());
}

TEST(DroppedRecords, LeaveSecondDerivativesAlone) {
  const Tensor x = full({1}, 3, {.dtype = float64, .requires_grad = true});
  Tape tape;
  for (int i = 0; i < 5; ++i) {
    const Tensor slope = tape.gradient(sum(x * x * x), {x}, {.create_graph = true})[0];
    EXPECT_EQ(slope.item(), 27);
    EXPECT_EQ(tape.gradient(sum(slope), {x})[0].item(), 18);
  }
}

// What a random program does on one tape: the gradients after each backward pass, up to the first error.
std::vector<std::vector<double>> outcomes(uint64_t seed, bool trace) {
  Generator random(seed);
  const auto below = [&](size_t n) { return size_t(random.below(n)); };
  std::vector<Tensor> tensors;
  for (const double value : {0.5, -0.25, 0.75})
    tensors.push_back(tensor({value, -value}, {.dtype = float64, .requires_grad = true}));
  std::vector<std::vector<double>> out;
  Tape tape({.trace = trace});
  for (int step = 0; step < 60; ++step) {
    const size_t newest = std::max<size_t>(tensors.size(), 9) - 9;  // most often something new
    const auto any = [&] {
      const size_t first = below(8) == 0 ? 0 : newest;
      return tensors[below(4) == 0 ? below(3) : first + below(tensors.size() - first)];
    };
    const Tensor a = any(), b = any();
    const size_t kind = below(6);
    if (kind < 4) {
      tensors.push_back(kind == 0 ? a + b : kind == 1 ? a * b : kind == 2 ? tanh(a) : a - 2 * b);
      continue;
    }
    if (!a.is_recorded()) continue;
    const bool retain = below(3) == 0;
    try {
      if (kind == 4)
        tape.backward(a, {.gradient = ones_like(a), .retain_graph = retain});
      else
        for (const Tensor& d : tape.gradient(a, {b, tensors[0]}, {.gradient = ones_like(a), .retain_graph = retain}))
          out.push_back(d.to_vector<double>());
    } catch (const AutogradError&) {
      out.push_back({});
      return out;
    }
    for (int i = 0; i < 3; ++i)
      if (tensors[size_t(i)].grad().defined()) out.push_back(tensors[size_t(i)].grad().to_vector<double>());
  }
  return out;
}

TEST(DroppedRecords, ChangeNoGradientOfARandomProgram) {
  size_t passes = 0;
  for (uint64_t seed = 0; seed < 2'000; ++seed) {
    const auto kept = outcomes(seed, true), dropped = outcomes(seed, false);
    EXPECT_EQ(dropped, kept) << seed;
    passes += kept.size();
  }
  EXPECT_GT(passes, 5'000u);
}

}  // namespace
}  // namespace tapegrad
