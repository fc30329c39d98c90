// Recurrent layers: equal to a loop over their cells for every option, and what a user relies on beyond that.
#include <tapegrad/memory.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "nn/recurrent_by_cells.h"
#include "support/scale.h"

namespace tapegrad {
namespace {

using nn::SequenceOptions;

Tensor lengths(std::vector<int64_t> values) {
  const auto n = int64_t(values.size());
  return from_vector(values, {n});
}

template <class Layer>
struct RecurrentLayer : ::testing::Test {};
struct Names {
  template <class Layer>
  static std::string GetName(int) {
    return std::string(nn::detail::type_name<Layer>());
  }
};
using Layers = ::testing::Types<nn::RNN, nn::LSTM, nn::GRU>;
TYPED_TEST_SUITE(RecurrentLayer, Layers, Names);

template <class Layer>
struct OptionsOf;
template <>
struct OptionsOf<nn::RNN> {
  using type = nn::RNNOptions;
};
template <>
struct OptionsOf<nn::LSTM> {
  using type = nn::LSTMOptions;
};
template <>
struct OptionsOf<nn::GRU> {
  using type = nn::GRUOptions;
};

// Every kind of norm with each of the other options, one at a time and some together.
template <class Layer>
std::vector<typename OptionsOf<Layer>::type> every_option() {
  using Options = typename OptionsOf<Layer>::type;
  std::vector<Options> out;
  for (Norm norm : {Norm::none, Norm::layer, Norm::rms})
    for (Placement placement : {Placement::separate, Placement::sum}) {
      if (norm == Norm::none && placement == Placement::sum) continue;
      const Options o{.norm = norm, .placement = placement};
      const auto with = [&](auto change) {
        Options changed = o;
        change(changed);
        out.push_back(changed);
      };
      with([](Options&) {});
      with([](Options& c) { c.num_layers = 2; });
      with([](Options& c) { c.bias = false; });
      with([](Options& c) { c.bidirectional = true; });
      with([](Options& c) { c.batch_first = c.bidirectional = true, c.num_layers = 2; });
      if constexpr (std::is_same_v<Layer, nn::RNN>) with([](Options& c) { c.relu = true; });
    }
  return out;
}

TYPED_TEST(RecurrentLayer, EqualsALoopOfCells) {
  constexpr int64_t kSteps = 5, kBatch = 4, kIn = 6, kHidden = 7;
  for (Dtype dtype : {float64, float32})
    for (auto options : every_option<TypeParam>())
      for (int way = 0; way < 4; ++way) {  // state, lengths, reset
        // A row of small values is multiplied by up to 1 / sqrt(eps), and its rounding with it, in either
        // form: with 30 in place of 316 float32 can tell them apart to 1e-5 whichever way a compiler rounds.
        if (dtype == float32) options.eps = 1e-3;
        // From a zero state the norm of W_hh h multiplies by up to 1 / sqrt(eps), in either form: that
        // float32 cannot be judged by.
        if (way == 0 && dtype == float32 && options.norm != Norm::none) continue;
        manual_seed(1);
        TypeParam layer(kIn, kHidden, options);
        SCOPED_TRACE(fmt::format("{}way {}, {}", to_string(layer), way, name(dtype)));
        layer.to(dtype);
        for (Tensor parameter : layer.parameters())  // gains and shifts that are not 1 and 0
          parameter.copy_(parameter.detach() + randn_like(parameter) * 0.2);
        const Tensor x = randn({kSteps, kBatch, kIn}, {.dtype = float64}).to(dtype).clone();
        Tensor input = options.batch_first ? x.transpose(0, 1).contiguous() : x;
        input.set_requires_grad();
        const Tensors state = way == 0 ? Tensors() : random_state(layer, kBatch, dtype);
        SequenceOptions sequence;
        if (way >= 2) sequence.lengths = lengths({3, 5, 0, 1});
        if (way == 3) sequence.reset = from_vector(std::vector<bool>{true, false, false, true}, {kBatch});
        Values leaves = layer.parameters();
        leaves.push_back(input);
        leaves.insert(leaves.end(), state.begin(), state.end());
        expect_near_to_scale(with_gradients(leaves, [&] { return by_layer(layer, input, state, sequence); }),
                             with_gradients(leaves, [&] { return by_cells(layer, input, state, sequence); }),
                             dtype == float64 ? 1e-11 : 1e-5);
      }
}

TYPED_TEST(RecurrentLayer, ReadsNoPadding) {
  for (bool bidirectional : {false, true})
    for (Norm norm : {Norm::none, Norm::layer}) {
      manual_seed(1);
      TypeParam layer(3, 5, {.num_layers = 2, .bidirectional = bidirectional, .norm = norm});
      const Tensor steps = lengths({4, 1, 0});
      const Tensor mask = lt(arange(4).unsqueeze(1), steps.unsqueeze(0)).unsqueeze(2);
      const Tensor x = randn({4, 3, 3});
      const auto run = [&](double padding) {
        Tensor input = where(mask, x, padding).clone().set_requires_grad();
        Values leaves = layer.parameters();
        leaves.push_back(input);
        return with_gradients(leaves, [&] { return by_layer(layer, input, {}, {.lengths = steps}); });
      };
      const Values clean = run(0), padded = run(std::numeric_limits<double>::quiet_NaN());
      for (size_t i = 0; i < clean.size(); ++i)
        EXPECT_EQ(padded[i].contiguous().to_vector<float>(), clean[i].contiguous().to_vector<float>())
            << "result " << i;
      const Tensor in_padding = where(mask, 0.0, padded.back());
      EXPECT_TENSOR_NEAR(in_padding, zeros_like(in_padding), 0.0) << "the gradient to padding";
    }
}

TYPED_TEST(RecurrentLayer, RunsEachSequenceOfARaggedBatchAsIfAlone) {
  manual_seed(1);
  TypeParam layer(3, 5, {.num_layers = 2, .bidirectional = true, .norm = Norm::layer});
  layer.to(float64);
  const Tensor x = randn({5, 3, 3}, {.dtype = float64});
  const std::vector<int64_t> sizes{2, 5, 3};
  const Values all = by_layer(layer, x, {}, {.lengths = lengths(sizes)});
  for (int64_t row = 0; row < 3; ++row) {
    const int64_t size = sizes[size_t(row)];
    const Values alone = by_layer(layer, slice(narrow(x, 1, row, 1), 0, 0, size), {}, {});
    EXPECT_TENSOR_NEAR(slice(narrow(all[0], 1, row, 1), 0, 0, size), alone[0], 1e-12);
    for (size_t part = 1; part < all.size(); ++part)
      EXPECT_TENSOR_NEAR(narrow(all[part], 1, row, 1), alone[part], 1e-12);
  }
}

// The state of an ended tape is a plain value: what flows back stops at the batch, as after a detach.
TYPED_TEST(RecurrentLayer, CarriesTheStateFromTapeToTape) {
  manual_seed(1);
  TypeParam layer(3, 4, {.norm = Norm::layer});
  layer.to(float64);
  const Tensor first = randn({3, 2, 3}, {.dtype = float64}), second = randn({3, 2, 3}, {.dtype = float64});
  typename TypeParam::State carried;
  {
    Tape tape;
    carried = layer(first).state;
  }
  const auto gradients_after = [&](const typename TypeParam::State& state) {
    Tape tape;
    return tape.gradient(sum(square(layer(second, state).output)), layer.parameters());
  };
  Tensors values;
  for (const Tensor& part : state_parts(carried)) values.push_back(part.detach().clone());
  expect_near_to_scale(gradients_after(carried), gradients_after(make_state<typename TypeParam::State>(values)), 0);

  Tape whole;  // in one tape the gradient goes on into the first batch
  const auto state = layer(first).state;
  const Values through = whole.gradient(sum(square(layer(second, state).output)), layer.parameters());
  EXPECT_FALSE(is_close(through[0], gradients_after(carried)[0]));
}

TYPED_TEST(RecurrentLayer, StartsResetRowsFromZero) {
  manual_seed(1);
  TypeParam layer(3, 4, {.num_layers = 2});
  const Tensor x = randn({3, 2, 3});
  const Tensors state = random_state(layer, 2, float32);
  const Tensor reset = from_vector(std::vector<bool>{false, true}, {2});
  const Values got = by_layer(layer, x, state, {.reset = reset}), kept = by_layer(layer, x, state, {}),
               fresh = by_layer(layer, x, {}, {});
  EXPECT_TENSOR_NEAR(select(got[0], 1, 0), select(kept[0], 1, 0), 0.0);
  EXPECT_TENSOR_NEAR(select(got[0], 1, 1), select(fresh[0], 1, 1), 0.0);
}

TYPED_TEST(RecurrentLayer, BeginsWithGainsOfOneAndShiftsOfZero) {
  manual_seed(1);
  for (Norm norm : {Norm::layer, Norm::rms}) {
    const TypeParam layer(3, 25, {.norm = norm});
    for (const auto& [name, parameter] : layer.named_parameters()) {
      if (name.starts_with("ln") && name.ends_with("weight"))
        EXPECT_TENSOR_NEAR(parameter, ones_like(parameter), 0.0) << name;
      else if (name.find("bias") != std::string::npos)
        EXPECT_TENSOR_NEAR(parameter, zeros_like(parameter), 0.0) << name;
      else
        EXPECT_LE(amax(abs(parameter)).item(), 0.2) << name;  // 1 / sqrt(25)
    }
  }
}

TYPED_TEST(RecurrentLayer, DropsBetweenLayersOnly) {
  manual_seed(1);
  for (bool variational : {false, true}) {
    TypeParam layer(3, 6, {.num_layers = 2, .dropout = 0.5, .variational = variational});
    const Tensor x = randn({4, 2, 3});
    manual_seed(9);
    const Tensor got = layer(x).output;
    manual_seed(9);
    typename std::decay_t<decltype(layer)> lower = layer;
    lower.cells = std::vector{layer.cells[0]};  // other cells, not the shared ones assigned to
    lower.options.num_layers = 1;
    const Tensor between = lower(x).output;
    const Tensor dropped = variational ? between * dropout(ones({1, 2, 6}), 0.5) : dropout(between, 0.5);
    lower.cells = std::vector{layer.cells[1]};
    EXPECT_TENSOR_NEAR(got, by_cells(lower, dropped, {}, {})[0], 1e-6);
    layer.eval();
    EXPECT_TENSOR_NEAR(layer(x).output, by_cells(layer, x, {}, {})[0], 1e-6);
  }
}

TYPED_TEST(RecurrentLayer, AsksTheSystemForNoMemoryInASteadyStep) {
  manual_seed(1);
  TypeParam layer(8, 16, {.num_layers = 2, .bidirectional = true, .norm = Norm::layer});
  const Tensor x = randn({6, 4, 8}), steps = lengths({6, 3, 1, 6});
  const auto step = [&] {
    layer.zero_grad();
    Tape tape;
    tape.backward(sum(square(layer(x, {}, {.lengths = steps}).output)));
  };
  for (int i = 0; i < 5; ++i) step();
  const uint64_t calls = memory::stats().system_calls;
  for (int i = 0; i < 5; ++i) step();
  EXPECT_EQ(memory::stats().system_calls, calls);
}

TYPED_TEST(RecurrentLayer, TakesASequenceOfTenThousandSteps) {
  manual_seed(1);
  TypeParam layer(2, 4, {.norm = Norm::layer});
  Tensor x = randn({10'000, 1, 2}).set_requires_grad();
  Tape tape;
  const Tensor loss = sum(square(layer(x).output));
  for (const Tensor& dx : tape.gradient(loss, {x, layer.cells[0].weight_hh})) EXPECT_THAT(dx, IsFinite());
}

// ---- the module kit ----

template <class Layer>
struct Wrapped : nn::Module<Wrapped<Layer>> {
  explicit Wrapped(typename OptionsOf<Layer>::type options) : layer(this->add("layer", Layer(3, 4, options))) {}
  Values forward(const Tensor& x) {
    const auto result = layer(x);
    Values out{result.output};
    for (const Tensor& part : state_parts(result.state)) out.push_back(part);
    return out;
  }
  Layer layer;
};

constexpr ModuleTestOptions kBatchSecond = {.batch_axis = 1};  // [T, B, F]

TAPEGRAD_TEST_MODULE(RNNModule, (Wrapped<nn::RNN>({.num_layers = 2, .bidirectional = true})), kBatchSecond,
                     Shape{3, 2, 3});
TAPEGRAD_TEST_MODULE(RNNModuleWithNorm, (Wrapped<nn::RNN>({.norm = Norm::layer})), kBatchSecond, Shape{3, 2, 3});
TAPEGRAD_TEST_MODULE(LSTMModule, (Wrapped<nn::LSTM>({})), kBatchSecond, Shape{3, 2, 3});
TAPEGRAD_TEST_MODULE(LSTMModuleWithNorm,
                     (Wrapped<nn::LSTM>({.num_layers = 2, .bidirectional = true, .norm = Norm::layer})), kBatchSecond,
                     Shape{3, 2, 3});
TAPEGRAD_TEST_MODULE(GRUModule, (Wrapped<nn::GRU>({.num_layers = 2, .batch_first = true})), Shape{4, 3, 3});
TAPEGRAD_TEST_MODULE(GRUModuleWithNorm, (Wrapped<nn::GRU>({.norm = Norm::rms})), kBatchSecond, Shape{3, 2, 3});
TAPEGRAD_TEST_MODULE(GRUModuleWithTheResetBefore, (Wrapped<nn::GRU>({.reset_after = false})), kBatchSecond,
                     Shape{3, 2, 3});
TAPEGRAD_TEST_MODULE(RNNCellModule, nn::RNNCell(3, 4), Shape{2, 3}, Shape{2, 4});
TAPEGRAD_TEST_MODULE(GRUCellModule, nn::GRUCell(3, 4, {.norm = Norm::layer}), Shape{2, 3}, Shape{2, 4});

}  // namespace
}  // namespace tapegrad
