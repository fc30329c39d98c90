// Any recurrent layer as a loop over its cells, with the state as a list: {h}, or {h, c} of an LSTM.
#pragma once
#include <tapegrad/tapegrad.h>

#include <type_traits>
#include <vector>

namespace tapegrad {

inline Tensors state_parts(const Tensor& h) { return {h}; }
inline Tensors state_parts(const nn::LSTMState& state) { return {state.h, state.c}; }

/// The state made of its parts; zeros for an empty list.
template <class State>
State make_state(const Tensors& parts) {
  if (parts.empty()) return {};
  if constexpr (std::is_same_v<State, Tensor>)
    return parts[0];
  else
    return {parts[0], parts[1]};
}

using Values = std::vector<Tensor>;

/// The size of h (part 0) or c (part 1).
template <class Layer>
int64_t state_size(const Layer& layer, int64_t part) {
  const auto& config = layer.cells[0].config;
  return part == 0 ? config.output_size() : config.hidden_size;
}

template <class Layer>
Tensors random_state(const Layer& layer, int64_t batch, Dtype dtype) {
  const int64_t parts = std::is_same_v<Layer, nn::LSTM> ? 2 : 1;
  Tensors out;
  for (int64_t i = 0; i < parts; ++i)
    out.push_back(randn({int64_t(layer.cells.size()), batch, state_size(layer, i)}, {.dtype = float64})
                      .to(dtype)
                      .clone()
                      .set_requires_grad());
  return out;
}

/// The layer as a loop over its cells: output, then the parts of the last state.
template <class Layer>
Values by_cells(const Layer& layer, const Tensor& input, const Tensors& state, const nn::SequenceOptions& sequence) {
  using CellState = typename std::decay_t<decltype(layer.cells[0])>::State;
  Tensor x = layer.options.batch_first ? input.transpose(0, 1) : input;
  const int64_t steps = x.size(0), directions = layer.options.bidirectional ? 2 : 1;
  std::vector<Tensors> last(std::is_same_v<Layer, nn::LSTM> ? 2 : 1);
  for (int64_t l = 0; l < layer.options.num_layers; ++l) {
    Tensors both;
    for (int64_t direction = 0; direction < directions; ++direction) {
      auto cell = layer.cells[size_t(l * directions + direction)];
      Tensors now;
      for (const Tensor& part : state) {
        const Tensor first = part[l * directions + direction];
        now.push_back(sequence.reset.defined() ? where(sequence.reset.unsqueeze(1), 0.0, first) : first);
      }
      if (now.empty())
        for (size_t i = 0; i < last.size(); ++i)
          now.push_back(zeros({x.size(1), state_size(layer, int64_t(i))}, {.dtype = x.dtype()}));
      Tensors outputs;
      outputs.resize(size_t(steps));
      for (int64_t k = 0; k < steps; ++k) {
        const int64_t t = direction ? steps - 1 - k : k;
        Tensors next = state_parts(cell(x[t], make_state<CellState>(now), k));
        outputs[size_t(t)] = next[0];
        if (sequence.lengths.defined()) {
          const Tensor active = gt(sequence.lengths, double(t)).unsqueeze(1);
          outputs[size_t(t)] = where(active, next[0], 0.0);
          for (size_t i = 0; i < next.size(); ++i) next[i] = where(active, next[i], now[i]);
        }
        now = next;
      }
      both.push_back(stack(outputs, 0));
      for (size_t i = 0; i < now.size(); ++i) last[i].push_back(now[i]);
    }
    x = concat(both, 2);
  }
  Values out{layer.options.batch_first ? x.transpose(0, 1) : x};
  for (const Tensors& part : last) out.push_back(stack(part, 0));
  return out;
}

template <class Layer>
Values by_layer(const Layer& layer, const Tensor& input, const Tensors& state, const nn::SequenceOptions& sequence) {
  const auto result = layer(input, make_state<typename Layer::State>(state), sequence);
  Values out{result.output};
  for (const Tensor& part : state_parts(result.state)) out.push_back(part);
  return out;
}

/// Outputs, and gradients of a random weighted sum of them.
template <class F>
Values with_gradients(const Values& leaves, F run) {
  Tape tape;
  Values out = run();
  manual_seed(3);
  Tensor loss;
  for (const Tensor& y : out) {
    const Tensor part = sum(y * randn(y.shape(), {.dtype = float64}).to(y.dtype()));
    loss = loss.defined() ? loss + part : part;
  }
  for (const Tensor& dx : tape.gradient(loss, leaves)) out.push_back(dx);
  return out;
}

}  // namespace tapegrad
