// Recurrent layers and cells against PyTorch's numbers.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <set>

#include "nn/recurrent_by_cells.h"
#include "support/golden.h"

namespace tapegrad {
namespace {

// "ln.weight" of a cell is "ln_l0.weight" in a layer.
std::string in_layer(const std::string& name) {
  const size_t dot = std::min(name.find('.'), name.size());
  return name.substr(0, dot) + "_l0" + name.substr(dot);
}

// Loads the parameters of the case, under the names that `rename` gives them.
template <class M, class Rename>
M loaded(const Golden& g, M module, Rename rename) {
  module.to(float64);
  std::map<std::string, Tensor> state;
  for (const std::string& name : g.names("param/")) state[rename(name)] = g["param/" + name];
  module.load_state_dict(state);
  return module;
}
std::string same(const std::string& name) { return name; }

// The leaves by their names in grad/: parameters, input and states.
template <class M, class Rename>
std::map<std::string, Tensor> leaves_of(const Golden& g, const M& module, Rename rename) {
  std::map<std::string, Tensor> parameters, leaves;
  for (const auto& [name, tensor] : module.named_parameters()) parameters[name] = tensor;
  for (const std::string& name : g.names("param/")) leaves[name] = parameters.at(rename(name));
  for (const char* name : {"input", "input_h0", "input_c0"})
    if (g.has(name)) leaves[name] = g.leaf(name);
  for (const std::string& name : g.names("grad/")) EXPECT_TRUE(leaves.count(name)) << g.name << " " << name;
  return leaves;
}

Tensor lengths_of(const Golden& g) {
  if (!g.settings.count("lengths")) return {};
  const Shape sizes = g.sizes("lengths");
  return from_vector(std::vector<int64_t>(sizes.begin(), sizes.end()), {int64_t(sizes.size())});
}

// Output and last state, in the order of the case's outputs.
template <class Result>
std::vector<Tensor> outputs_of(const Golden& g, const Result& result, bool without_layer) {
  std::vector<Tensor> out{result.output};
  for (const Tensor& part : state_parts(result.state)) {
    if (!g.has("output" + std::to_string(out.size()))) break;  // of an lstm with lengths h only
    out.push_back(without_layer ? part[0] : part);
  }
  return out;
}

template <class Layer>
void expect_layer(const std::string& kind, const std::string& name) {
  const Golden g = golden(kind + "/" + name);
  const bool of_a_cell = name == "layer_norm";  // its parameters and states are those of one cell
  const auto rename = of_a_cell ? in_layer : same;
  const auto number = [&](const char* setting) { return g.settings.count(setting) ? g.integer(setting) : 1; };
  const Layer layer = loaded(g,
                             Layer(g.integer("input_size"), g.integer("hidden_size"),
                                   {.num_layers = number("num_layers"),
                                    .bidirectional = g.settings.count("bidirectional") && g.flag("bidirectional"),
                                    .norm = of_a_cell ? Norm::layer : Norm::none}),
                             rename);
  const auto leaves = leaves_of(g, layer, rename);
  Tape tape;
  Tensors state;
  for (const char* part : {"input_h0", "input_c0"})
    if (leaves.count(part)) state.push_back(of_a_cell ? leaves.at(part).unsqueeze(0) : leaves.at(part));
  const auto result = layer(leaves.at("input"), make_state<typename Layer::State>(state), {.lengths = lengths_of(g)});
  expect_gradients_match(g, outputs_of(g, result, of_a_cell), tape, leaves);
}

template <class Cell>
void expect_cell(const std::string& kind) {
  const Golden g = golden(kind + "/layer_norm");
  Cell cell = loaded(g, Cell(g.integer("input_size"), g.integer("hidden_size"), {.norm = Norm::layer}), same);
  const auto leaves = leaves_of(g, cell, same);
  Tape tape;
  Tensors state;
  for (const char* part : {"input_h0", "input_c0"})
    if (leaves.count(part)) state.push_back(leaves.at(part));
  const Tensor& input = leaves.at("input");
  Tensors outputs;
  for (const Tensor& x : unbind(input, 0)) {
    state = state_parts(cell(x, make_state<typename Cell::State>(state)));
    outputs.push_back(state[0]);
  }
  std::vector<Tensor> all{stack(outputs, 0)};
  all.insert(all.end(), state.begin(), state.end());
  expect_gradients_match(g, all, tape, leaves);
}

constexpr const char* kCases[] = {"basic", "stacked", "bidirectional", "lengths", "layer_norm"};

TEST(RNN, MatchesPyTorch) {
  for (const char* name : kCases) expect_layer<nn::RNN>("rnn", name);
}
TEST(LSTM, MatchesPyTorch) {
  for (const char* name : kCases) expect_layer<nn::LSTM>("lstm", name);
}
TEST(GRU, MatchesPyTorch) {
  for (const char* name : kCases) expect_layer<nn::GRU>("gru", name);
}
TEST(RNNCell, MatchesPyTorch) { expect_cell<nn::RNNCell>("rnn"); }
TEST(LSTMCell, MatchesPyTorch) { expect_cell<nn::LSTMCell>("lstm"); }
TEST(GRUCell, MatchesPyTorch) { expect_cell<nn::GRUCell>("gru"); }

}  // namespace
}  // namespace tapegrad
