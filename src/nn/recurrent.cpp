// The stack: for each layer and direction one product for the projected input and one fused operation for the
// rest. What the fused operation does not have (batch statistics, zoneout, masks on h, projections) is a loop
// of simple ones, for which the tape knows the gradients.
#include <tapegrad/nn/recurrent.h>

#include "core/fail.h"
#include "ops/recurrent/recurrent.h"

namespace tapegrad::nn {

namespace detail {

namespace {

// [T, B]: whether step t of row b counts.
Tensor sequence_mask(const Tensor& lengths, int64_t steps) {
  return lt(arange(steps).unsqueeze(1), lengths.unsqueeze(0));
}

void check_input(const Tensor& x, const CellConfig& cell, bool batch_first, const SequenceOptions& sequence) {
  const char* layout = batch_first ? "[B, T, " : "[T, B, ";
  if (x.dim() != 3 || x.size(2) != cell.input_size)
    fail<ShapeError>("", "input must be {}{}] (input_size {}), got {}", layout, cell.input_size,
                     cell.input_size, x.shape());
  const int64_t batch = x.size(batch_first ? 0 : 1), steps = x.size(batch_first ? 1 : 0);
  if (sequence.reset.defined() &&
      (sequence.reset.dtype() != boolean || sequence.reset.shape() != Shape{batch}))
    fail<ShapeError>("", "reset must be boolean [{}], got {} {}", batch, sequence.reset.dtype(),
                     sequence.reset.shape());
  if (!sequence.lengths.defined()) return;
  if (cell.norm == Norm::batch)
    fail<ValueError>("", "norm batch takes no lengths: its statistics are those of whole batches");
  if (sequence.lengths.dtype() != int64 || sequence.lengths.shape() != Shape{batch})
    fail<ShapeError>("", "lengths must be int64 [{}], got {} {}", batch, sequence.lengths.dtype(),
                     sequence.lengths.shape());
  for (int64_t n : sequence.lengths.contiguous().template data<int64_t>())
    if (n < 0 || n > steps) fail<IndexError>("", "lengths must be in [0, {}], got {}", steps, n);
}

// The initial state of each layer and direction, rows that are reset at zero; undefined ones stay so.
Tensors initial_states(const Tensor& state, const Shape& shape, const Tensor& reset) {
  Tensors out;
  out.resize(size_t(shape[0]));
  if (!state.defined()) return out;
  if (state.shape() != shape)
    fail<ShapeError>("", "a state must be [layers * directions, B, hidden_size] {}, got {}", shape,
                     state.shape());
  return unbind(reset.defined() ? where(reset.unsqueeze(1), 0.0, state) : state, 0);
}

// With one mask for all steps, or with one for each.
Tensor dropped(const Tensor& x, double p, bool variational) {
  if (!variational) return dropout(x, p);
  return x * dropout(ones({1, x.size(1), x.size(2)}, {.dtype = x.dtype()}), p);
}

// Each element keeps its old value with probability p; in evaluation the mean of what training does.
Tensor zoned_out(const Tensor& before, const Tensor& after, double p, bool training) {
  if (p == 0) return after;
  if (!training) return after + (before - after) * p;
  return where(bernoulli(after.shape(), p, {.dtype = boolean}), before, after);
}

template <class Options>
const Options& checked(const Options& options) {
  if (options.num_layers < 1)
    fail<ValueError>("recurrent layer", "num_layers must be at least 1, got {}", options.num_layers);
  const auto check_probability = [](const char* name, double p) {
    if (!(p >= 0 && p <= 1)) fail<ValueError>("recurrent layer", "{} must be in [0, 1], got {}", name, p);
  };
  check_probability("dropout", options.dropout);
  check_probability("zoneout", options.zoneout);
  check_probability("recurrent_dropout", options.recurrent_dropout);
  return options;
}

template <class Options>
std::string text(const CellConfig& config, const Options& options) {
  std::string out = to_string(config);
  if (options.num_layers > 1) out += fmt::format(", num_layers={}", options.num_layers);
  if (options.batch_first) out += ", batch_first=true";
  if (options.dropout > 0) out += fmt::format(", dropout={}", options.dropout);
  if (options.bidirectional) out += ", bidirectional=true";
  if (options.zoneout > 0) out += fmt::format(", zoneout={}", options.zoneout);
  if (options.recurrent_dropout > 0) out += fmt::format(", recurrent_dropout={}", options.recurrent_dropout);
  return out;
}

}  // namespace

template <class Derived, class Cell, class OptionsOf>
RecurrentLayer<Derived, Cell, OptionsOf>::RecurrentLayer(RecurrentCell cell, int64_t input_size,
                                                         int64_t hidden_size, const Options& given)
    : options(checked(given)) {
  CellConfig config = cell_config(cell, input_size, hidden_size, options);
  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    for (const char* direction : {"", "_reverse"})
      if (options.bidirectional || !*direction)
        cells.push_back(this->add_flat(fmt::format("_l{}{}", layer, direction), Cell(config)));
    config.input_size = config.output_size() * (options.bidirectional ? 2 : 1);
  }
  this->describe(text(cells[0].config, options));
}

// One direction of one layer: the fused operation, or step by step what that does not have.
template <class Derived, class Cell, class OptionsOf>
Tensors RecurrentLayer<Derived, Cell, OptionsOf>::run(const Cell& cell, const Tensor& projected,
                                                      const Tensor& h0, const Tensor& c0,
                                                      const RecurrentOptions& how) const {
  const CellConfig& config = cell.config;
  const bool training = this->is_training(), masked = training && options.recurrent_dropout > 0;
  const RecurrentParameters parameters = cell.recurrent_parameters();
  if (config.norm != Norm::batch && config.proj_size == 0 && options.zoneout == 0 && !masked)
    return recurrent(projected, h0, c0, parameters, how);
  const Tensors state = state_or_zeros(h0, c0, projected.size(1), config.output_size(), config.hidden_size,
                                       config.cell, projected.dtype());
  const Tensor mask = masked ? dropout(ones_like(state[0]), options.recurrent_dropout) : Tensor();
  return recurrent_loop(projected, state, how, [&](const Tensor& p, const Tensors& now, int64_t k) {
    Tensors next = cell.advance(p, now, parameters, k, mask);
    for (size_t part = 0; part < next.size(); ++part)
      next[part] = zoned_out(now[part], next[part], options.zoneout, training);
    return next;
  });
}

template <class Derived, class Cell, class OptionsOf>
auto RecurrentLayer<Derived, Cell, OptionsOf>::forward(const Tensor& input, const State& state,
                                                       const SequenceOptions& sequence) -> Result {
  const CellConfig& config = cells[0].config;
  check_input(input, config, options.batch_first, sequence);
  Tensor x = options.batch_first ? input.transpose(0, 1) : input;
  const int64_t batch = x.size(1), directions = options.bidirectional ? 2 : 1;
  // Padding may hold anything, and 0 * NaN in the gradient of the weights would be NaN.
  if (sequence.lengths.defined()) x = where(sequence_mask(sequence.lengths, x.size(0)).unsqueeze(2), x, 0.0);

  const Tensors given = parts_of(state);
  tapegrad::detail::SmallVector<Tensors, 2> initial, last;  // a list a part of the state
  last.resize(given.size());
  for (const Tensor& part : given) {
    const int64_t size = initial.empty() ? config.output_size() : config.hidden_size;
    initial.push_back(initial_states(part, {int64_t(cells.size()), batch, size}, sequence.reset));
  }

  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    if (layer > 0 && this->is_training() && options.dropout > 0)
      x = dropped(x, options.dropout, options.variational);
    Tensors outputs;
    for (int64_t direction = 0; direction < directions; ++direction) {
      const size_t index = size_t(layer * directions + direction);
      const Cell& cell = cells[index];
      RecurrentOptions how = cell.config;
      how.reverse = direction == 1;
      how.lengths = sequence.lengths;
      const Tensor c0 = given.size() > 1 ? initial[1][index] : Tensor();
      const Tensors result = run(cell, linear(x, cell.weight_ih), initial[0][index], c0, how);
      outputs.push_back(result[0]);
      for (size_t part = 0; part < given.size(); ++part) last[part].push_back(result[1 + part]);
    }
    x = directions == 1 ? outputs[0] : concat(outputs, 2);
  }
  Tensors parts;
  for (const Tensors& part : last) parts.push_back(stack(part, 0));
  return {options.batch_first ? x.transpose(0, 1) : x, state_of<State>(parts)};
}

template class RecurrentLayer<RNN, RNNCell, RNNOptions>;
template class RecurrentLayer<LSTM, LSTMCell, LSTMOptions>;
template class RecurrentLayer<GRU, GRUCell, GRUOptions>;

}  // namespace detail

RNN::RNN(int64_t input_size, int64_t hidden_size, RNNOptions options)
    : RecurrentLayer(options.relu ? RecurrentCell::rnn_relu : RecurrentCell::rnn_tanh, input_size,
                     hidden_size, options) {}
LSTM::LSTM(int64_t input_size, int64_t hidden_size, LSTMOptions options)
    : RecurrentLayer(RecurrentCell::lstm, input_size, hidden_size, options) {}
GRU::GRU(int64_t input_size, int64_t hidden_size, GRUOptions options)
    : RecurrentLayer(RecurrentCell::gru, input_size, hidden_size, options) {}

}  // namespace tapegrad::nn
