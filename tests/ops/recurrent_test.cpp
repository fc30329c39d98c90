// The fused recurrent layers against a loop over recurrent_step(), which says what the equations say; and
// what a loop does not show: padding, degenerate rows, long sequences, memory, threads.
#include <tapegrad/memory.h>
#include <tapegrad/parallel.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "ops/expect.h"
#include "support/scale.h"

namespace tapegrad {
namespace {

using Values = std::vector<Tensor>;

int64_t gates_of(RecurrentCell cell) { return cell == RecurrentCell::lstm ? 4 : cell == RecurrentCell::gru ? 3 : 1; }

Tensor leaf(const Shape& shape, Dtype dtype) {
  return randn(shape, {.dtype = float64}).to(dtype).clone().set_requires_grad();
}

struct Problem {
  Tensor p, h0, c0;
  RecurrentParameters w;
  RecurrentOptions options;

  Problem(const RecurrentOptions& o, int64_t steps, int64_t batch, int64_t hidden, Dtype dtype = float64) : options(o) {
    manual_seed(1);
    const int64_t width = gates_of(o.cell) * hidden;
    const bool lstm = o.cell == RecurrentCell::lstm;
    p = leaf({steps, batch, width}, dtype);
    h0 = leaf({batch, hidden}, dtype);
    if (lstm) c0 = leaf({batch, hidden}, dtype);
    w.weight_hh = (randn({width, hidden}, {.dtype = float64}) * (1 / std::sqrt(double(hidden))))
                      .to(dtype)
                      .clone()
                      .set_requires_grad();
    w.bias = leaf({width}, dtype);
    if (o.cell == RecurrentCell::gru && (o.norm == Norm::none || o.placement == Placement::separate))
      w.bias_hh = leaf({width}, dtype);
    if (o.norm == Norm::none) return;
    if (o.placement == Placement::separate) w.gain_ih = leaf({width}, dtype);
    w.gain_hh = leaf({width}, dtype);
    if (!lstm) return;
    w.gain_c = leaf({hidden}, dtype);
    w.bias_c = leaf({hidden}, dtype);
  }

  Values inputs() const {
    Values out;
    for (const Tensor& x : {p, h0, c0, w.weight_hh, w.bias, w.bias_hh, w.gain_ih, w.gain_hh, w.gain_c, w.bias_c})
      if (x.defined()) out.push_back(x);
    return out;
  }
  Gradients fused() const { return recurrent(p, h0, c0, w, options); }
  Gradients steps() const;
};

Gradients Problem::steps() const {
  Tensor h = h0, c = c0;
  const int64_t steps = p.size(0);
  const Tensors at = unbind(p, 0);
  Tensors outputs;
  outputs.resize(size_t(steps));
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t t = options.reverse ? steps - 1 - k : k;
    const Tensor& x = at[size_t(t)];
    if (!options.lengths.defined()) {
      const Gradients next = recurrent_step(x, h, c, w, options);
      outputs[size_t(t)] = h = next[0];
      if (c.defined()) c = next[1];
      continue;
    }
    const Tensor active = gt(options.lengths, double(t)).unsqueeze(1);
    const Gradients next = recurrent_step(where(active, x, 0.0), h, c, w, options);
    outputs[size_t(t)] = where(active, next[0], 0.0);
    h = where(active, next[0], h);
    if (c.defined()) c = where(active, next[1], c);
  }
  Gradients out{stack(outputs, 0), h};
  if (c.defined()) out.push_back(c);
  return out;
}

// The outputs and the gradients of a random weighted sum of them with respect to all inputs.
template <class F>
Values results(const Problem& problem, F run) {
  Tape tape;
  const Gradients y = run(problem);
  manual_seed(2);
  Tensor loss;
  Values out;
  for (const Tensor& part : y) {
    const Tensor term = sum(part * randn(part.shape(), {.dtype = float64}).to(part.dtype()));
    loss = loss.defined() ? loss + term : term;
    out.push_back(part.detach());
  }
  for (const Tensor& dx : tape.gradient(loss, problem.inputs())) out.push_back(dx);
  return out;
}
Values fused(const Problem& problem) {
  return results(problem, [](const Problem& q) { return q.fused(); });
}
Values looped(const Problem& problem) {
  return results(problem, [](const Problem& q) { return q.steps(); });
}

double largest(const Tensor& x) {
  double out = 0;
  for (double value : x.to(float64).contiguous().to_vector<double>()) out = std::max(out, std::abs(value));
  return out;
}

Tensor some_lengths(int64_t batch, int64_t steps) {
  std::vector<int64_t> out;
  for (int64_t row = 0; row < batch; ++row) out.push_back((row * 5) % (steps + 1));
  return from_vector(out, {batch});
}

const char* text(RecurrentCell cell) {
  return cell == RecurrentCell::lstm       ? "lstm"
         : cell == RecurrentCell::gru      ? "gru"
         : cell == RecurrentCell::rnn_relu ? "relu"
                                           : "rnn";
}
std::string text(const RecurrentOptions& o) {
  std::string out = text(o.cell);
  out += o.norm == Norm::none ? "_plain" : o.norm == Norm::layer ? "_layer" : "_rms";
  if (o.norm != Norm::none) out += o.placement == Placement::sum ? "_sum" : "_separate";
  return out;
}

}  // namespace

void PrintTo(const RecurrentOptions& options, std::ostream* out) { *out << text(options); }

namespace {

std::vector<RecurrentOptions> every_way() {
  std::vector<RecurrentOptions> out;
  for (RecurrentCell cell : {RecurrentCell::rnn_tanh, RecurrentCell::rnn_relu, RecurrentCell::lstm, RecurrentCell::gru})
    for (Norm norm : {Norm::none, Norm::layer, Norm::rms})
      for (Placement placement : {Placement::separate, Placement::sum}) {
        if (placement == Placement::sum && norm == Norm::none) continue;
        out.push_back({.cell = cell, .norm = norm, .placement = placement});
      }
  return out;
}

class Recurrent : public ::testing::TestWithParam<RecurrentOptions> {};
INSTANTIATE_TEST_SUITE_P(Ops, Recurrent, ::testing::ValuesIn(every_way()),
                         [](const auto& info) { return text(info.param); });

TEST_P(Recurrent, EqualsALoopOverSteps) {
  for (Dtype dtype : {float64, float32})
    for (bool reverse : {false, true})
      for (bool ragged : {false, true}) {
        SCOPED_TRACE(fmt::format("{}{}{}", name(dtype), reverse ? ", reverse" : "", ragged ? ", lengths" : ""));
        RecurrentOptions options = GetParam();
        options.reverse = reverse;
        if (ragged) options.lengths = some_lengths(9, 6);
        const Problem problem(options, 6, 9, 21, dtype);
        expect_near_to_scale(fused(problem), looped(problem), dtype == float64 ? 1e-11 : 1e-5);
      }
}

// Large enough to be split into blocks of rows, the last one short.
TEST_P(Recurrent, EqualsALoopOverStepsInSeveralBlocks) {
  for (bool ragged : {false, true}) {
    RecurrentOptions options = GetParam();
    if (ragged) options.lengths = some_lengths(37, 24);
    const Problem problem(options, 24, 37, 50);
    expect_near_to_scale(fused(problem), looped(problem), 1e-11);
  }
}

TEST_P(Recurrent, GivesTheSameBitsForOneAndTwoThreads) {
  const int before = get_num_threads();
  RecurrentOptions options = GetParam();
  options.lengths = some_lengths(37, 24);
  const Problem problem(options, 24, 37, 50, float32);
  set_num_threads(1);
  const Values one = fused(problem);
  set_num_threads(2);
  const Values two = fused(problem);
  set_num_threads(before);
  ASSERT_EQ(one.size(), two.size());
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_EQ(one[i].contiguous().to_vector<float>(), two[i].contiguous().to_vector<float>()) << "result " << i;
}

// Each output alone: the others have no cotangent.
TEST_P(Recurrent, GoesBackwardFromOneOutput) {
  const Problem problem(GetParam(), 4, 3, 5);
  const size_t outputs = problem.fused().size();
  for (size_t which = 0; which < outputs; ++which) {
    const auto only = [which](const Gradients& y) { return Gradients{y[which]}; };
    expect_near_to_scale(results(problem, [&](const Problem& q) { return only(q.fused()); }),
                         results(problem, [&](const Problem& q) { return only(q.steps()); }), 1e-11);
  }
}

TEST_P(Recurrent, ReadsNoPadding) {
  for (bool reverse : {false, true}) {
    RecurrentOptions options = GetParam();
    options.reverse = reverse;
    options.lengths = from_vector(std::vector<int64_t>{5, 0, 3, 1}, {4});
    Problem clean(options, 5, 4, 6), padded(options, 5, 4, 6);
    const int64_t width = clean.p.size(2);
    const Tensor mask = lt(arange(5).unsqueeze(1), options.lengths.unsqueeze(0)).unsqueeze(2);
    padded.p = where(mask, clean.p.detach(), std::numeric_limits<double>::quiet_NaN()).clone();
    padded.p.set_requires_grad();
    const Values got = fused(padded), want = fused(clean);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_EQ(got[i].contiguous().to_vector<double>(), want[i].contiguous().to_vector<double>()) << "result " << i;
    const Tensor dp = got[clean.fused().size()];
    EXPECT_EQ(largest(where(mask, 0.0, dp)), 0) << "the gradient to padding, width " << width;
    EXPECT_EQ(largest(where(mask, 0.0, got[0])), 0) << "the output in padding";
  }
}

TEST_P(Recurrent, RunsEachSequenceOfARaggedBatchAsIfAlone) {
  for (bool reverse : {false, true}) {
    RecurrentOptions options = GetParam();
    options.reverse = reverse;
    options.lengths = from_vector(std::vector<int64_t>{5, 2, 4}, {3});
    const Problem batch(options, 5, 3, 6);
    const Gradients all = batch.fused();
    for (int64_t row = 0; row < 3; ++row) {
      const int64_t length = options.lengths.data<int64_t>()[size_t(row)];
      options.lengths = {};
      Problem one = batch;
      one.options.lengths = {};
      one.p = slice(narrow(batch.p, 1, row, 1), 0, 0, length);
      one.h0 = narrow(batch.h0, 0, row, 1);
      if (batch.c0.defined()) one.c0 = narrow(batch.c0, 0, row, 1);
      const Gradients alone = one.fused();
      EXPECT_TENSOR_NEAR(slice(narrow(all[0], 1, row, 1), 0, 0, length), alone[0], 1e-12);
      for (size_t part = 1; part < all.size(); ++part)
        EXPECT_TENSOR_NEAR(narrow(all[part], 0, row, 1), alone[part], 1e-12);
      options.lengths = batch.options.lengths;
    }
  }
}

// Rows without variance: zero states, constant inputs, nothing but zeros.
TEST_P(Recurrent, IsFiniteForDegenerateRows) {
  for (Dtype dtype : {float64, float32})
    for (double input : {0.0, 3.0, 1e4}) {
      Problem problem(GetParam(), 5, 3, 8, dtype);
      problem.p = full(problem.p.shape(), input, {.dtype = dtype}).set_requires_grad();
      problem.h0 = zeros(problem.h0.shape(), {.dtype = dtype}).set_requires_grad();
      if (problem.c0.defined()) problem.c0 = zeros(problem.c0.shape(), {.dtype = dtype}).set_requires_grad();
      if (GetParam().cell == RecurrentCell::rnn_relu && GetParam().norm == Norm::none) continue;
      for (const Tensor& x : fused(problem)) EXPECT_THAT(x, IsFinite()) << "input " << input;
    }
}

TEST_P(Recurrent, LetsNaNSpreadOverItsOwnRowOnly) {
  Problem problem(GetParam(), 4, 3, 20);
  problem.p = problem.p.detach().clone();
  problem.p.mutable_data<double>()[size_t(problem.p.size(2) * 4 + 18)] = std::nan("");  // step 1, row 1
  const Gradients y = problem.fused(), steps = problem.steps();
  for (int64_t row : {0, 2}) EXPECT_THAT(narrow(y[1], 0, row, 1), IsFinite());
  const Tensor is_nan = isnan(y[0]), expected = isnan(steps[0]);
  EXPECT_EQ(is_nan.to_vector<bool>(), expected.to_vector<bool>());
}

TEST_P(Recurrent, TakesStridedInputs) {
  const Problem problem(GetParam(), 4, 3, 5);
  Problem strided = problem;
  const auto turned = [](const Tensor& x) { return x.detach().transpose(0, 1).contiguous().transpose(0, 1); };
  strided.p = turned(problem.p);
  strided.h0 = turned(problem.h0);
  if (problem.c0.defined()) strided.c0 = turned(problem.c0);
  strided.w.weight_hh = turned(problem.w.weight_hh);
  const Tensor lengths = from_vector(std::vector<int64_t>{4, -7, 2, 99, 1, -1}, {6});
  strided.options.lengths = slice(lengths, 0, 0, 6, 2);
  Problem same = problem;
  same.options.lengths = from_vector(std::vector<int64_t>{4, 2, 1}, {3});
  const Gradients a = strided.fused(), b = same.fused();
  for (size_t i = 0; i < b.size(); ++i) EXPECT_TENSOR_NEAR(a[i], b[i], 1e-14);
}

TEST_P(Recurrent, RunsWithoutSteps) {
  const Problem problem(GetParam(), 0, 3, 5);
  Tape tape;
  const Gradients y = problem.fused();
  EXPECT_THAT(y[0], HasShape({0, 3, 5}));
  EXPECT_TENSOR_NEAR(y[1], problem.h0, 0.0);
  const std::vector<Tensor> d = tape.gradient(sum(y[1]), {problem.h0, problem.w.weight_hh});
  EXPECT_TENSOR_NEAR(d[0], ones_like(problem.h0), 0.0);
  EXPECT_EQ(largest(d[1]), 0);
}

TEST_P(Recurrent, RunsWithoutRows) {
  const Problem problem(GetParam(), 4, 0, 5);
  const Values out = fused(problem);
  EXPECT_THAT(out[0], HasShape({4, 0, 5}));
  for (const Tensor& x : out) EXPECT_THAT(x, IsFinite());
}

TEST_P(Recurrent, AsksTheSystemForNoMemoryInASteadyStep) {
  const Problem problem(GetParam(), 8, 6, 16, float32);
  const auto step = [&] {
    for (Tensor x : problem.inputs()) x.zero_grad();
    Tape tape;
    const Gradients y = problem.fused();
    tape.backward(sum(y[0]) + sum(y[1]));
  };
  for (int i = 0; i < 5; ++i) step();
  const uint64_t calls = memory::stats().system_calls;
  for (int i = 0; i < 5; ++i) step();
  EXPECT_EQ(memory::stats().system_calls, calls);
}

TEST_P(Recurrent, TakesTenThousandSteps) {
  const Problem problem(GetParam(), 10'000, 2, 4);
  if (GetParam().cell == RecurrentCell::rnn_relu) problem.w.weight_hh.detach().fill_(0.1);
  const auto run = [&] {
    for (const Tensor& x : fused(problem)) EXPECT_THAT(x, IsFinite());
    Tape tape;
    const Gradients y = problem.steps();
    EXPECT_THAT(tape.gradient(sum(y[1]), {problem.w.weight_hh})[0], IsFinite());
  };
  run();  // the tape keeps its room for the next one
  const size_t before = memory::stats().in_use;
  run();
  EXPECT_EQ(memory::stats().in_use, before);
}

TEST(RecurrentErrors, SayWhatWasExpected) {
  const auto text = [](auto change) {
    Problem problem({.cell = RecurrentCell::lstm, .norm = Norm::layer}, 4, 3, 5);
    change(problem);
    return message<Error>([&] { problem.fused(); });
  };
  EXPECT_EQ(text([](Problem& q) { q.p = q.p[0]; }),
            "lstm: projected must be [T, B, GH] and weight_hh [GH, H], got [3, 20] and [20, 5]");
  EXPECT_EQ(text([](Problem& q) {
              q.p = zeros({4, 3, 15}, {.dtype = float64});
            }),
            "lstm: projected must have the shape [4, 3, 20], got [4, 3, 15]");
  EXPECT_EQ(text([](Problem& q) {
              q.h0 = zeros({2, 5}, {.dtype = float64});
            }),
            "lstm: h0 must have the shape [3, 5], got [2, 5]");
  EXPECT_EQ(text([](Problem& q) { q.c0 = zeros({3, 5}); }), "lstm: c0 must be float64 as the input, got float32");
  EXPECT_EQ(text([](Problem& q) { q.w.bias = zeros({5}, {.dtype = float64}); }),
            "lstm: a bias or gain must have the shape [20], got [5]");
  EXPECT_EQ(text([](Problem& q) { q.w.gain_c = zeros({20}, {.dtype = float64}); }),
            "lstm: gain_c and bias_c must have the shape [5], got [20]");
  EXPECT_EQ(text([](Problem& q) {
              q.options.lengths = from_vector(std::vector<int64_t>{4, 5, 1}, {3});
            }),
            "lstm: lengths must be in [0, 4], got 5 for row 1");
  EXPECT_EQ(text([](Problem& q) { q.options.lengths = zeros({3}); }),
            "lstm: lengths must be int64 [3], got float32 [3]");
  EXPECT_EQ(text([](Problem& q) { q.options.norm = Norm::batch; }),
            "lstm: norm must be none, layer or rms here, got batch");
  Problem gru({.cell = RecurrentCell::gru, .norm = Norm::layer}, 4, 3, 5);
  gru.options.placement = Placement::sum;
  EXPECT_EQ(message<ValueError>([&] { gru.fused(); }),
            "gru: with Placement::sum a gru has one bias. Hint: leave bias_hh undefined");
}

// Where nobody asks again, backward writes over the gates of a long sequence: the bits are those of one that does not, when
// it is asked for the second time.
TEST(RecurrentMemory, BackwardInPlaceGivesTheSameBits) {
  for (RecurrentCell cell : {RecurrentCell::rnn_tanh, RecurrentCell::lstm, RecurrentCell::gru})
    for (Norm norm : {Norm::none, Norm::layer})
      for (Placement placement : {Placement::separate, Placement::sum}) {
        if (norm == Norm::none && placement == Placement::sum) continue;
        RecurrentOptions options{.cell = cell, .norm = norm, .placement = placement};
        SCOPED_TRACE(text(options));
        options.lengths = some_lengths(40, 96);
        const Problem problem(options, 96, 40, 96, float32);
        const Tensor dy = randn({96, 40, 96});
        const auto gradients = [&](bool retain) {
          Values leaves = problem.inputs();
          Tape tape;
          const Tensor loss = sum(problem.fused()[0] * dy);
          for (int times = retain ? 2 : 1; times > 0; --times) {
            for (Tensor& leaf : leaves) leaf.zero_grad();
            tape.backward(loss, {.retain_graph = retain});
          }
          Values out;
          for (const Tensor& leaf : leaves) out.push_back(leaf.grad().clone());
          return out;
        };
        const Values kept = gradients(true), in_place = gradients(false);
        for (size_t i = 0; i < kept.size(); ++i)
          EXPECT_EQ(kept[i].to_vector<float>(), in_place[i].to_vector<float>()) << "input " << i;
      }
}

TEST(RecurrentErrors, RefuseAnInputChangedBeforeBackward) {
  Problem problem({.cell = RecurrentCell::lstm}, 4, 3, 5);
  Tape tape;
  const Tensor loss = sum(problem.fused()[0]);
  problem.w.weight_hh.mutable_data<double>()[0] = 1;
  EXPECT_THROW(tape.backward(loss), AutogradError);
}

}  // namespace
}  // namespace tapegrad
