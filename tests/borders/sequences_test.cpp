// Recurrent layers over more rows than one block has, and with more steps than one product of the weights' gradient takes.
#include <gtest/gtest.h>

#include <cmath>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

struct Layer {
  std::string name;
  RecurrentOptions options;
  bool ragged = false;

  bool lstm() const { return options.cell == RecurrentCell::lstm; }
  bool normed() const { return options.norm != Norm::none; }
  bool separate() const { return normed() && options.placement == Placement::separate; }
  bool two_biases() const { return options.cell == RecurrentCell::gru && (!normed() || separate()); }
};

const Layer kLayers[] = {
    {"lstm", {.cell = RecurrentCell::lstm}},
    {"lstm, layer norm, ragged", {.cell = RecurrentCell::lstm, .norm = Norm::layer}, true},
    {"lstm, norm of the sum", {.cell = RecurrentCell::lstm, .norm = Norm::layer, .placement = Placement::sum}},
    {"gru, backwards", {.cell = RecurrentCell::gru, .reverse = true}},
    {"gru, norm of the sum", {.cell = RecurrentCell::gru, .norm = Norm::layer, .placement = Placement::sum}},
    {"gru, rms norm, ragged, backwards", {.cell = RecurrentCell::gru, .norm = Norm::rms, .reverse = true}, true},
    {"rnn, layer norm", {.cell = RecurrentCell::rnn_tanh, .norm = Norm::layer}},
    {"relu", {.cell = RecurrentCell::rnn_relu}, true},
};

// The inputs in their order: with rows p [B, T, GH], h0, c0, lengths; shared the parameters.
Inputs inputs_of(const Layer& layer, int64_t batch, int64_t steps, int64_t hidden, Dtype dtype) {
  const int64_t width = gate_count(layer.options.cell) * hidden;
  const auto draw = [&](const Shape& shape, double scale, double center) {
    return noise(shape, dtype) * scale + center;
  };
  Inputs in{draw({batch, steps, width}, 0.7, 0), draw({batch, hidden}, 0.5, 0)};
  if (layer.lstm()) in.push_back(draw({batch, hidden}, 0.5, 0));
  if (layer.ragged) in.push_back(randint(0, steps + 1, {batch}));
  in.push_back(draw({width, hidden}, 0.5 / std::sqrt(double(hidden)), 0));
  in.push_back(draw({width}, 0.3, 0));
  if (layer.two_biases()) in.push_back(draw({width}, 0.3, 0));
  if (layer.separate()) in.push_back(draw({width}, 0.2, 1));
  if (layer.normed()) in.push_back(draw({width}, 0.2, 1));
  if (layer.normed() && layer.lstm()) {
    in.push_back(draw({hidden}, 0.2, 1));
    in.push_back(draw({hidden}, 0.2, 0));
  }
  return in;
}

// What the list above stands for.
struct Run {
  Tensor p, h, c;
  RecurrentParameters parameters;
  RecurrentOptions options;

  Run(const Layer& layer, const Inputs& in) : options(layer.options) {
    size_t next = 0;
    p = in[next++].transpose(0, 1);
    h = in[next++];
    if (layer.lstm()) c = in[next++];
    if (layer.ragged) options.lengths = in[next++];
    parameters.weight_hh = in[next++];
    parameters.bias = in[next++];
    if (layer.two_biases()) parameters.bias_hh = in[next++];
    if (layer.separate()) parameters.gain_ih = in[next++];
    if (layer.normed()) parameters.gain_hh = in[next++];
    if (layer.normed() && layer.lstm()) {
      parameters.gain_c = in[next++];
      parameters.bias_c = in[next++];
    }
  }
};

Inputs whole(const Layer& layer, const Inputs& in) {
  const Run run(layer, in);
  Inputs out;
  for (const Tensor& y : recurrent(run.p, run.h, run.c, run.parameters, run.options)) out.push_back(y);
  out[0] = out[0].transpose(0, 1);
  return out;
}

Inputs step_by_step(const Layer& layer, const Inputs& in) {
  const Run run(layer, in);
  Tensor h = run.h, c = run.c;
  std::vector<Tensor> outputs;
  for (const Tensor& p : unbind(run.p)) {
    const Tensors next = recurrent_step(p, h, c, run.parameters, run.options);
    h = next[0];
    if (layer.lstm()) c = next[1];
    outputs.push_back(h);
  }
  Inputs out{stack(outputs, 1), h};
  if (layer.lstm()) out.push_back(c);
  return out;
}

RowOperation rows_of(const Layer& layer, int64_t steps, int64_t hidden, int64_t chunk) {
  return {.name = layer.name,
          .f = [=](const Inputs& in) { return whole(layer, in); },
          .inputs = [=](int64_t rows, Dtype dtype) { return inputs_of(layer, rows, steps, hidden, dtype); },
          .with_rows = 2u + layer.lstm() + layer.ragged,
          .chunk = chunk,
          .of_float32 = kOfFloat32InSteps};
}

// The smallest size whose weights alone, met by `rows` rows at `steps` steps, are more work than one block takes.
int64_t hidden_for(const Layer& layer, int64_t work) {
  const auto gates = double(gate_count(layer.options.cell));
  return int64_t(std::sqrt(double(work) / gates)) + 1;
}

TEST(SequenceBorders, EveryBlockOfRowsIsThatOfItsSlice) {
  const int64_t steps =
      2 * kWeightRows / kRecurrentRows + 1;  // two products of the weights' gradient, and one step more
  for (const Layer& layer : kLayers)
    expect_slices(
        rows_of(layer, steps, hidden_for(layer, kRecurrentWork / (steps * (kRecurrentRows - 1))), kRecurrentRows));
}

TEST(SequenceBorders, EveryBlockOfRowsWithLargeWeightsIsThatOfItsSlice) {
  for (const size_t which : {0, 4, 6}) {
    const RowOperation operation =
        rows_of(kLayers[which], 2, hidden_for(kLayers[which], kRecurrentLarge), 2 * kRecurrentRows);
    for (const int64_t rows : {2 * kRecurrentRows - 1, 2 * kRecurrentRows + 1}) expect_slices(operation, rows, float32);
  }
}

TEST(SequenceBorders, ASmallLayerTakesAnyNumberOfRowsInOneBlock) {
  for (const Layer& layer : kLayers)
    for (const int64_t rows : beside({32, 64, kWeightRows})) expect_slices(rows_of(layer, 3, 5, 32), rows, float64);
}

// Rows that are measured have vectors of 16 or 8 numbers, and blocks of 256.
TEST(SequenceBorders, ALayerOfAnyWidthIsItsSteps) {
  for (const Layer& layer : kLayers) {
    if (layer.ragged || layer.options.reverse) continue;
    const int64_t gates = gate_count(layer.options.cell);
    for (const Dtype dtype : {float32, float64})
      for (const int64_t width : beside({16, 2 * 16, kNormedRow, 2 * kNormedRow})) {
        const int64_t hidden = std::max<int64_t>((width + gates - 1) / gates, 5);
        manual_seed(uint64_t(width));
        const Inputs in = inputs_of(layer, 5, 3, hidden, dtype);
        const auto f = [&](const Inputs& in) { return whole(layer, in); };
        const Inputs dy = cotangents_of(f(in));
        Inputs wide, wide_dy;
        for (const Tensor& x : in) wide.push_back(x.to(float64));
        for (const Tensor& g : dy) wide_dy.push_back(g.to(float64));
        expect_near(results_and_gradients(f, in, dy),
                    results_and_gradients([&](const Inputs& in) { return step_by_step(layer, in); }, wide, wide_dy),
                    layer.name + " of " + std::to_string(hidden) + " in " + to_string(dtype));
      }
  }
}

}  // namespace
}  // namespace tapegrad::borders
