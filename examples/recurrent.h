// The arguments --cell and --norm as types and options of the library.
#pragma once
#include <tapegrad/nn.h>

#include <string>
#include <type_traits>

#include "arguments.h"

/// What a program about recurrent networks can be told.
struct RecurrentArguments {
  std::string cell, norm_name;
  int64_t hidden, seed;
  tapegrad::nn::Norm norm;
};

inline RecurrentArguments recurrent_arguments(Arguments& arguments, const std::string& norm, int64_t hidden) {
  RecurrentArguments out;
  out.cell = arguments.choice("cell", "lstm", {"rnn", "lstm", "gru"}, "kind of recurrent cell");
  out.norm_name = arguments.choice("norm", norm, {"none", "layer", "rms"}, "normalization in the cell");
  out.hidden = arguments.integer("hidden", hidden, "size of the state", {1, 65536});
  out.seed = arguments.integer("seed", 0, "of weights and data", {0});
  using tapegrad::nn::Norm;
  out.norm = out.norm_name == "none" ? Norm::none : out.norm_name == "layer" ? Norm::layer : Norm::rms;
  return out;
}

/// A layer nn::RNN, nn::LSTM or nn::GRU.
template <class Layer>
Layer recurrent_layer(int64_t inputs, int64_t hidden, tapegrad::nn::Norm norm,
                      tapegrad::nn::Placement placement = tapegrad::nn::Placement::separate) {
  return Layer(inputs, hidden, {.norm = norm, .placement = placement});
}

/// Calls program.operator()<Layer>() with the layer that --cell names.
template <class Program>
auto with_cell(const std::string& cell, Program program) {
  if (cell == "rnn") return program.template operator()<tapegrad::nn::RNN>();
  if (cell == "gru") return program.template operator()<tapegrad::nn::GRU>();
  return program.template operator()<tapegrad::nn::LSTM>();
}

/// What the whole of a sequence left in the (single) layer: h [B, H] after the last step.
template <class State>
tapegrad::Tensor last_h(const State& state) {
  if constexpr (requires { state.h; })
    return state.h[0];
  else
    return state[0];
}

/// Gives an LSTM biases that make it remember over 1 to t_max steps (nn::init::chrono); other cells have no
/// forget gate. What shifts the gates is the norm's shift where the norm stands on their sum, or one bias
/// with a norm on each part, or one of two biases without a norm.
template <class Layer>
void remember_up_to(Layer& layer, double t_max) {
  if constexpr (std::is_same_v<Layer, tapegrad::nn::LSTM>) {
    tapegrad::nn::LSTMCell& cell = layer.cells[0];
    const tapegrad::Tensor shift = cell.bias_ih.defined() ? cell.bias_ih
                                   : cell.bias.defined()  ? cell.bias
                                                          : cell.ln.bias;
    tapegrad::nn::init::chrono(shift, t_max);
    if (cell.bias_hh.defined()) tapegrad::nn::init::zeros(cell.bias_hh);
  }
}
