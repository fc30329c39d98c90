// What recurrent layers do besides the fused operation: batch normalization, zoneout, dropout of the state,
// projections.
#include <tapegrad/memory.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

#include "nn/recurrent_by_cells.h"
#include "support/scale.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64{.dtype = float64};

template <class Layer>
Layer in_float64(Layer layer) {
  layer.to(float64);
  return layer;
}

template <class Layer>
struct RecurrentVariant : ::testing::Test {};
struct LayerNames {
  template <class Layer>
  static std::string GetName(int) {
    return std::string(nn::detail::type_name<Layer>());
  }
};
using AllLayers = ::testing::Types<nn::RNN, nn::LSTM, nn::GRU>;
TYPED_TEST_SUITE(RecurrentVariant, AllLayers, LayerNames);

// ---- recurrent batch normalization ----

// The norm of W_ih x, or the one of the sum.
template <class Cell>
nn::CellNorm first_norm(const Cell& cell) {
  return cell.bn.weight.defined() ? cell.bn : cell.bn_ih;
}

// Each step's statistics are its own, in the order in which the steps run, with and without state.
TYPED_TEST(RecurrentVariant, BatchNormEqualsALoopOfCells) {
  for (bool training : {true, false})
    for (bool bidirectional : {false, true}) {
      manual_seed(1);
      auto layer = in_float64(
          TypeParam(3, 4, {.num_layers = 2, .bidirectional = bidirectional, .norm = Norm::batch, .max_steps = 5}));
      layer(randn({5, 6, 3}, k64));  // running statistics that are not 0 and 1
      layer.train(training);
      Tensor x = randn({5, 6, 3}, k64);
      x.set_requires_grad();
      const Tensors state = random_state(layer, 6, float64);
      Values leaves = layer.parameters();
      leaves.push_back(x);
      leaves.insert(leaves.end(), state.begin(), state.end());
      expect_near_to_scale(with_gradients(leaves, [&] { return by_layer(layer, x, state, {}); }),
                           with_gradients(leaves, [&] { return by_cells(layer, x, state, {}); }), 1e-11);
    }
}

TYPED_TEST(RecurrentVariant, BatchNormBeginsWithSmallGains) {
  const TypeParam layer(3, 4, {.norm = Norm::batch, .max_steps = 5});
  const auto& cell = layer.cells[0];
  for (const nn::CellNorm& norm : {cell.bn_ih, cell.bn_hh, cell.bn, cell.bn_c}) {
    if (!norm.weight.defined()) continue;
    EXPECT_TENSOR_NEAR(norm.weight, full_like(norm.weight, 0.1), 0.0);
    EXPECT_THAT(norm.running_mean, HasShape({5, norm.weight.size(0)}));
  }
}

TYPED_TEST(RecurrentVariant, BatchNormReusesTheLastStepSeen) {
  manual_seed(1);
  TypeParam layer(3, 4, {.norm = Norm::batch, .max_steps = 5});
  layer(randn({3, 6, 3}));
  layer.eval();
  auto& cell = layer.cells[0];
  EXPECT_EQ(first_norm(cell).steps_seen.item(), 3);
  const Tensor x = randn({6, 3});
  using State = typename std::decay_t<decltype(cell)>::State;
  const auto at = [&](int64_t time) { return state_parts(cell(x, State{}, time))[0]; };
  EXPECT_TENSOR_NEAR(at(3), at(2), 0.0);
  EXPECT_TENSOR_NEAR(at(100), at(2), 0.0);
  EXPECT_FALSE(is_close(at(1), at(2)));
  EXPECT_THAT(layer(randn({9, 6, 3})).output, IsFinite());
}

TYPED_TEST(RecurrentVariant, BatchNormTrainsBeyondMaxSteps) {
  manual_seed(1);
  TypeParam layer(3, 4, {.norm = Norm::batch, .max_steps = 2});
  const Tensor x = randn({4, 6, 3});
  layer(x);
  const nn::CellNorm norm = first_norm(layer.cells[0]);
  EXPECT_EQ(norm.steps_seen.item(), 2);
  const Tensor before = norm.running_mean.clone();
  layer(slice(x, 0, 0, 2));
  EXPECT_FALSE(is_close(norm.running_mean, before));
}

// A batch of one has no variance: in evaluation it needs none.
TYPED_TEST(RecurrentVariant, BatchNormEvaluatesASequenceAlone) {
  manual_seed(1);
  TypeParam layer(3, 4, {.norm = Norm::batch, .max_steps = 4});
  const Tensor x = randn({4, 6, 3});
  layer(x);
  layer.eval();
  const Tensor all = layer(x).output;
  EXPECT_TENSOR_NEAR(layer(narrow(x, 1, 2, 1)).output, narrow(all, 1, 2, 1), 1e-6);
  layer.train();
  EXPECT_THROW(layer(narrow(x, 1, 2, 1)), ValueError);
}

// The equations of Cooijmans et al. 2016, written out.
TEST(RecurrentBatchNorm, IsThatOfThePaper) {
  manual_seed(1);
  auto layer = in_float64(nn::LSTM(3, 4, {.norm = Norm::batch, .max_steps = 5}));
  for (Tensor parameter : layer.parameters()) parameter.copy_(randn(parameter.shape(), k64));
  const Tensor x = randn({5, 6, 3}, k64), h0 = randn({1, 6, 4}, k64), c0 = randn({1, 6, 4}, k64);
  const auto& cell = layer.cells[0];
  const auto result = layer(x, {h0, c0});
  Tensor h = h0[0], c = c0[0];
  const auto normalized = [](const Tensor& value, const nn::CellNorm& norm) {
    const Tensor centered = value - mean(value, 0);
    const Tensor y = centered / sqrt(mean(square(centered), 0) + 1e-5) * norm.weight;
    return norm.bias.defined() ? y + norm.bias : y;
  };
  Tensors outputs;
  for (int64_t t = 0; t < 5; ++t) {
    const Tensor p = matmul(x[t], cell.weight_ih.transpose(0, 1)), q = matmul(h, cell.weight_hh.transpose(0, 1));
    const Tensors a = chunk(normalized(q, cell.bn_hh) + normalized(p, cell.bn_ih) + cell.bias, 4, 1);
    c = sigmoid(a[1]) * c + sigmoid(a[0]) * tanh(a[2]);
    h = sigmoid(a[3]) * tanh(normalized(c, cell.bn_c));
    outputs.push_back(h);
    EXPECT_TENSOR_NEAR(cell.bn_ih.running_mean[t], mean(p, 0) * 0.1, 1e-12);  // momentum 0.1, from 0
  }
  EXPECT_TENSOR_NEAR(result.output, stack(outputs, 0), 1e-11);
  EXPECT_TENSOR_NEAR(result.state.c[0], c, 1e-11);
}

// ---- zoneout ----

TYPED_TEST(RecurrentVariant, ZoneoutKeepsOldValuesOrTakesNewOnes) {
  manual_seed(1);
  auto layer = in_float64(TypeParam(3, 50, {.zoneout = 0.25}));
  auto plain = in_float64(TypeParam(3, 50));
  plain.load_state_dict(layer.state_dict());
  const Tensor x = randn({1, 40, 3}, k64);
  const Tensors state = random_state(layer, 40, float64);
  const Values got = by_layer(layer, x, state, {}), fresh = by_layer(plain, x, state, {});
  for (size_t part = 0; part < state.size(); ++part) {
    const std::vector<double> value = got[1 + part].to_vector<double>(), before = state[part].to_vector<double>(),
                              after = fresh[1 + part].to_vector<double>();
    int64_t kept = 0;
    for (size_t i = 0; i < value.size(); ++i) {
      kept += value[i] == before[i];
      EXPECT_TRUE(value[i] == before[i] || std::abs(value[i] - after[i]) < 1e-12) << i;
    }
    EXPECT_NEAR(double(kept) / double(value.size()), 0.25, 0.05);
  }
  EXPECT_TENSOR_NEAR(got[0][0], got[1][0], 0.0) << "the output is the state";
}

TYPED_TEST(RecurrentVariant, ZoneoutEvaluatesToTheMean) {
  manual_seed(1);
  auto layer = in_float64(TypeParam(3, 4, {.zoneout = 0.25}));
  layer.eval();
  const Tensor x = randn({5, 2, 3}, k64);
  const Tensors state = random_state(layer, 2, float64);
  auto& cell = layer.cells[0];
  using State = typename std::decay_t<decltype(cell)>::State;
  Tensors now;
  for (const Tensor& part : state) now.push_back(part[0]);
  Tensors outputs;
  for (int64_t t = 0; t < 5; ++t) {
    const Tensors next = state_parts(cell(x[t], make_state<State>(now)));
    for (size_t i = 0; i < now.size(); ++i) now[i] = now[i] * 0.25 + next[i] * 0.75;
    outputs.push_back(now[0]);
  }
  EXPECT_TENSOR_NEAR(by_layer(layer, x, state, {})[0], stack(outputs, 0), 1e-12);
}

TYPED_TEST(RecurrentVariant, ZoneoutOfOneKeepsTheState) {
  TypeParam layer(3, 4, {.zoneout = 1});
  const Tensors state = random_state(layer, 2, float32);
  const Values got = by_layer(layer, randn({5, 2, 3}), state, {});
  for (size_t part = 0; part < state.size(); ++part) EXPECT_TENSOR_NEAR(got[1 + part], state[part], 0.0);
}

TYPED_TEST(RecurrentVariant, ReadsNoPaddingStepByStep) {
  manual_seed(1);
  TypeParam layer(3, 4, {.bidirectional = true, .zoneout = 0.5});
  const Tensor steps = from_vector(std::vector<int64_t>{4, 1, 0}, {3});
  const Tensor mask = lt(arange(4).unsqueeze(1), steps.unsqueeze(0)).unsqueeze(2), x = randn({4, 3, 3});
  const auto run = [&](double padding) {
    Tensor input = where(mask, x, padding).clone().set_requires_grad();
    Values leaves = layer.parameters();
    leaves.push_back(input);
    manual_seed(5);
    return with_gradients(leaves, [&] { return by_layer(layer, input, {}, {.lengths = steps}); });
  };
  const Values clean = run(0), padded = run(std::nan(""));
  for (size_t i = 0; i < clean.size(); ++i) EXPECT_TENSOR_NEAR(padded[i], clean[i], 0.0) << "result " << i;
}

TYPED_TEST(RecurrentVariant, AsksTheSystemForNoMemoryInASteadyStep) {
  manual_seed(1);
  TypeParam layer(8, 16, {.norm = Norm::batch, .max_steps = 6, .zoneout = 0.1, .recurrent_dropout = 0.1});
  const Tensor x = randn({6, 4, 8});
  const auto step = [&] {
    layer.zero_grad();
    Tape tape;
    tape.backward(sum(square(layer(x).output)));
  };
  for (int i = 0; i < 5; ++i) step();
  const uint64_t calls = memory::stats().system_calls;
  for (int i = 0; i < 5; ++i) step();
  EXPECT_EQ(memory::stats().system_calls, calls);
}

// ---- dropout of the state ----

// For a single sequence a mask on h is a mask on the columns of W_hh.
TYPED_TEST(RecurrentVariant, RecurrentDropoutIsOneMaskASequence) {
  manual_seed(1);
  auto layer = in_float64(TypeParam(3, 8, {.recurrent_dropout = 0.5}));
  auto plain = in_float64(TypeParam(3, 8));
  const Tensor x = randn({6, 1, 3}, k64);
  plain.load_state_dict(layer.state_dict());
  layer.eval();
  EXPECT_TENSOR_NEAR(layer(x).output, plain(x).output, 1e-12);
  layer.train();
  manual_seed(9);
  const Tensor got = layer(x).output;
  manual_seed(9);
  const Tensor mask = dropout(ones({1, 8}, k64), 0.5);
  plain.cells[0].weight_hh.detach().copy_(layer.cells[0].weight_hh.detach() * mask);
  EXPECT_TENSOR_NEAR(got, plain(x).output, 1e-12);
  EXPECT_FALSE(is_close(got, layer(x).output)) << "another sequence, another mask";
}

// ---- projections ----

TEST(Projection, EqualsALoopOfCells) {
  for (Norm norm : {Norm::none, Norm::layer, Norm::rms, Norm::batch})
    for (bool ragged : {false, true}) {
      if (ragged && norm == Norm::batch) continue;
      manual_seed(1);
      auto layer = in_float64(
          nn::LSTM(3, 6, {.num_layers = 2, .bidirectional = true, .norm = norm, .max_steps = 4, .proj_size = 2}));
      Tensor x = randn({4, 3, 3}, k64);
      x.set_requires_grad();
      const Tensors state = random_state(layer, 3, float64);
      nn::SequenceOptions sequence;
      if (ragged) sequence.lengths = from_vector(std::vector<int64_t>{2, 4, 0}, {3});
      Values leaves = layer.parameters();
      leaves.push_back(x);
      leaves.insert(leaves.end(), state.begin(), state.end());
      const Values got = with_gradients(leaves, [&] { return by_layer(layer, x, state, sequence); });
      EXPECT_THAT(got[0], HasShape({4, 3, 4}));
      EXPECT_THAT(got[1], HasShape({4, 3, 2}));
      EXPECT_THAT(got[2], HasShape({4, 3, 6}));
      expect_near_to_scale(got, with_gradients(leaves, [&] { return by_cells(layer, x, state, sequence); }), 1e-11);
    }
}

TEST(Projection, IsAProductAfterTheStep) {
  manual_seed(1);
  nn::LSTMCell cell(3, 4, {.proj_size = 2});
  const Tensor x = randn({5, 3}), h = randn({5, 2}), c = randn({5, 4});
  const Tensors a = chunk(linear(x, cell.weight_ih, cell.bias_ih) + linear(h, cell.weight_hh, cell.bias_hh), 4, 1);
  const Tensor next = sigmoid(a[1]) * c + sigmoid(a[0]) * tanh(a[2]);
  const nn::LSTMState got = cell(x, nn::LSTMState{h, c});
  EXPECT_TENSOR_NEAR(got.c, next, 1e-6);
  EXPECT_TENSOR_NEAR(got.h, linear(sigmoid(a[3]) * tanh(next), cell.weight_hr), 1e-6);
}

TEST(Projection, HasPyTorchsNames) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::LSTM(3, 4, {.num_layers = 2, .proj_size = 2}).named_parameters())
    names.push_back(name + " " + to_string(tensor.shape()));
  EXPECT_EQ(names, (std::vector<std::string>{"weight_ih_l0 [16, 3]", "weight_hh_l0 [16, 2]", "bias_ih_l0 [16]",
                                             "bias_hh_l0 [16]", "weight_hr_l0 [2, 4]", "weight_ih_l1 [16, 2]",
                                             "weight_hh_l1 [16, 2]", "bias_ih_l1 [16]", "bias_hh_l1 [16]",
                                             "weight_hr_l1 [2, 4]"}));
}

// ---- errors ----

template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(RecurrentVariantErrors, SayWhatWasExpected) {
  EXPECT_EQ(message([] { nn::LSTM(3, 4, {.norm = Norm::batch}); }),
            "recurrent cell: norm batch needs max_steps, the number of time steps with statistics of their own, "
            "got 0. Hint: the length of the longest training sequence");
  EXPECT_EQ(message([] { nn::LSTM(3, 4, {.proj_size = 4}); }),
            "recurrent cell: proj_size must be in [0, hidden_size 4), got 4");
  EXPECT_EQ(message([] { nn::GRU(3, 4, {.norm = Norm::batch, .placement = Placement::sum, .max_steps = 5}); }),
            "recurrent cell: norm batch of a gru stands at its two products. Hint: Placement::separate");
  EXPECT_EQ(message([] { nn::GRU(3, 4, {.zoneout = -1}); }), "recurrent layer: zoneout must be in [0, 1], got -1");
  EXPECT_EQ(message([] { nn::RNN(3, 4, {.recurrent_dropout = 2}); }),
            "recurrent layer: recurrent_dropout must be in [0, 1], got 2");
  nn::GRU gru(3, 4, {.norm = Norm::batch, .max_steps = 5});
  EXPECT_EQ(message([&] {
              gru(zeros({4, 2, 3}), {}, {.lengths = zeros({2}, {.dtype = int64})});
            }),
            "GRU: norm batch takes no lengths: its statistics are those of whole batches");
  nn::LSTM lstm(3, 4, {.proj_size = 2});
  EXPECT_EQ(message([&] {
              lstm(zeros({4, 2, 3}), {zeros({1, 2, 4}), zeros({1, 2, 4})});
            }),
            "LSTM: a state must be [layers * directions, B, hidden_size] [1, 2, 2], got [1, 2, 4]");
  nn::LSTMCell cell(3, 4, {.proj_size = 2});
  EXPECT_EQ(message([&] {
              cell(zeros({5, 3}), nn::LSTMState{zeros({5, 4}), {}});
            }),
            "LSTMCell: cell: h must have the shape [B, proj_size] [5, 2], got [5, 4]");
  EXPECT_EQ(message([&] {
              cell(zeros({5, 3}), nn::LSTMState{}, -1);
            }),
            "LSTMCell: cell: time must not be negative, got -1");
}

// ---- the module kit: gradients against differences, saving, cloning ----

template <class Layer>
struct WithStates : nn::Module<WithStates<Layer>> {
  explicit WithStates(Layer made) : layer(this->add("layer", made)) {}
  Values forward(const Tensor& x, const Tensor& h) {
    if constexpr (std::is_same_v<Layer, nn::LSTM>)
      return by_layer(layer, x, {h, zeros({h.size(0), h.size(1), 4}, {.dtype = h.dtype()})}, {});
    else
      return by_layer(layer, x, {h}, {});
  }
  Layer layer;
};

constexpr ModuleTestOptions kBatchSecond = {.batch_axis = 1};  // [T, B, F]

TAPEGRAD_TEST_MODULE(RNNBatchNorm, WithStates(nn::RNN(3, 4, {.norm = Norm::batch, .max_steps = 3})), kBatchSecond,
                     Shape{3, 5, 3}, Shape{1, 5, 4});
TAPEGRAD_TEST_MODULE(LSTMBatchNorm, WithStates(nn::LSTM(3, 4, {.norm = Norm::batch, .max_steps = 3})), kBatchSecond,
                     Shape{3, 5, 3}, Shape{1, 5, 4});
TAPEGRAD_TEST_MODULE(LSTMBatchNormOfTheSum,
                     WithStates(nn::LSTM(3, 4, {.norm = Norm::batch, .placement = Placement::sum, .max_steps = 3})),
                     kBatchSecond, Shape{3, 5, 3}, Shape{1, 5, 4});
TAPEGRAD_TEST_MODULE(GRUBatchNorm, WithStates(nn::GRU(3, 4, {.norm = Norm::batch, .max_steps = 3})), kBatchSecond,
                     Shape{3, 5, 3}, Shape{1, 5, 4});
TAPEGRAD_TEST_MODULE(RNNZoneout, WithStates(nn::RNN(3, 4, {.zoneout = 0.3})), kBatchSecond, Shape{3, 2, 3},
                     Shape{1, 2, 4});
TAPEGRAD_TEST_MODULE(LSTMZoneout, WithStates(nn::LSTM(3, 4, {.norm = Norm::layer, .zoneout = 0.3})), kBatchSecond,
                     Shape{3, 2, 3}, Shape{1, 2, 4});
TAPEGRAD_TEST_MODULE(GRUZoneout, WithStates(nn::GRU(3, 4, {.zoneout = 0.3})), kBatchSecond, Shape{3, 2, 3},
                     Shape{1, 2, 4});
TAPEGRAD_TEST_MODULE(LSTMRecurrentDropout, WithStates(nn::LSTM(3, 4, {.recurrent_dropout = 0.3})), kBatchSecond,
                     Shape{3, 2, 3}, Shape{1, 2, 4});
TAPEGRAD_TEST_MODULE(GRURecurrentDropout, WithStates(nn::GRU(3, 4, {.recurrent_dropout = 0.3})), kBatchSecond,
                     Shape{3, 2, 3}, Shape{1, 2, 4});
TAPEGRAD_TEST_MODULE(LSTMProjection, WithStates(nn::LSTM(3, 4, {.norm = Norm::layer, .proj_size = 2})), kBatchSecond,
                     Shape{3, 2, 3}, Shape{1, 2, 2});

}  // namespace
}  // namespace tapegrad
