// The stack: for each layer and direction one product for the projected input and one fused operation for the
// rest. What the fused operation does not have (batch statistics, zoneout, masks on h, projections) is a loop
// of simple ones, for which the tape knows the gradients.
#include <tapegrad/nn/recurrent.h>

#include "core/fail.h"
#include "tapegrad/ops.h"

namespace tapegrad::nn {

namespace detail {

namespace {

// A state is one tensor or two; the stack handles both as a list.
Tensors parts_of(const Tensor& h) {
  return {h};
}
Tensors parts_of(const LSTMState& state) {
  return {state.h, state.c};
}
void put_parts(const Tensors& parts, Tensor& h) {
  h = parts[0];
}
void put_parts(const Tensors& parts, LSTMState& state) {
  state = {parts[0], parts[1]};
}

// [T, B]: whether step t of row b counts.
Tensor sequence_mask(const Tensor& lengths, int64_t steps) {
  return lt(arange(steps).unsqueeze(1), lengths.unsqueeze(0));
}

void check_input(const Tensor& x, const CellConfig& cell, const StackOptions& options,
                 const SequenceOptions& sequence) {
  const char* layout = options.batch_first ? "[B, T, " : "[T, B, ";
  if (x.dim() != 3 || x.size(2) != cell.input_size)
    fail<ShapeError>("", "input must be {}{}] (input_size {}), got {}", layout, cell.input_size,
                     cell.input_size, x.shape());
  const int64_t batch = x.size(options.batch_first ? 0 : 1), steps = x.size(options.batch_first ? 1 : 0);
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

Tensor dropped(const Tensor& x, const StackOptions& options, bool training) {
  if (!training || options.dropout == 0) return x;
  if (!options.variational) return dropout(x, options.dropout);
  const Tensor mask = dropout(ones({1, x.size(1), x.size(2)}, {.dtype = x.dtype()}), options.dropout);
  return x * mask;
}

// Each element keeps its old value with probability p; in evaluation the mean of what training does.
Tensor zoned_out(const Tensor& before, const Tensor& after, double p, bool training) {
  if (p == 0) return after;
  if (!training) return after + (before - after) * p;
  return where(bernoulli(after.shape(), p, {.dtype = boolean}), before, after);
}

}  // namespace

template <class Derived, class Cell>
void RecurrentLayer<Derived, Cell>::check_options(const StackOptions& options) {
  if (options.num_layers < 1)
    fail<ValueError>("recurrent layer", "num_layers must be at least 1, got {}", options.num_layers);
  if (!(options.dropout >= 0 && options.dropout <= 1))
    fail<ValueError>("recurrent layer", "dropout must be in [0, 1], got {}", options.dropout);
  if (!(options.zoneout >= 0 && options.zoneout <= 1))
    fail<ValueError>("recurrent layer", "zoneout must be in [0, 1], got {}", options.zoneout);
  if (!(options.recurrent_dropout >= 0 && options.recurrent_dropout <= 1))
    fail<ValueError>("recurrent layer", "recurrent_dropout must be in [0, 1], got {}",
                     options.recurrent_dropout);
}

template <class Derived, class Cell>
void RecurrentLayer<Derived, Cell>::describe_layers(const CellConfig& config) {
  std::string text = config.text();
  if (options.num_layers > 1) text += fmt::format(", num_layers={}", options.num_layers);
  if (options.batch_first) text += ", batch_first=true";
  if (options.dropout > 0) text += fmt::format(", dropout={}", options.dropout);
  if (options.bidirectional) text += ", bidirectional=true";
  if (options.zoneout > 0) text += fmt::format(", zoneout={}", options.zoneout);
  if (options.recurrent_dropout > 0) text += fmt::format(", recurrent_dropout={}", options.recurrent_dropout);
  this->describe(text);
}

template <class Derived, class Cell>
bool RecurrentLayer<Derived, Cell>::is_fused() const {
  const CellConfig& config = cells[0].config;
  return config.norm != Norm::batch && config.proj_size == 0 && options.zoneout == 0 &&
         (options.recurrent_dropout == 0 || !this->is_training());
}

// What recurrent() returns, a step at a time.
template <class Derived, class Cell>
Gradients RecurrentLayer<Derived, Cell>::run_by_steps(const Cell& cell, const Tensor& projected, Tensor h,
                                                      Tensor c, bool reverse, const Tensor& lengths) const {
  const CellConfig& config = cell.config;
  const int64_t steps = projected.size(0), batch = projected.size(1);
  const TensorOptions like{.dtype = projected.dtype()};
  const bool is_lstm = config.cell == RecurrentCell::lstm, training = this->is_training();
  if (!h.defined()) h = zeros({batch, config.output_size()}, like);
  if (is_lstm && !c.defined()) c = zeros({batch, config.hidden_size}, like);
  const RecurrentParameters parameters = cell.recurrent_parameters();
  Tensor mask;
  if (training && options.recurrent_dropout > 0)
    mask = dropout(ones(h.shape(), like), options.recurrent_dropout);

  const Tensors at = unbind(projected, 0);
  Tensors outputs;
  outputs.resize(size_t(steps));
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t t = reverse ? steps - 1 - k : k;
    const tapegrad::detail::StepScope scope(t);
    const Gradients next = cell.advance(at[size_t(t)], h, c, parameters, k, mask);
    Tensor new_h = zoned_out(h, next[0], options.zoneout, training);
    Tensor new_c = is_lstm ? zoned_out(c, next[1], options.zoneout, training) : Tensor();
    if (lengths.defined()) {
      const Tensor active = gt(lengths, double(t)).unsqueeze(1);
      outputs[size_t(t)] = where(active, new_h, 0.0);
      new_h = where(active, new_h, h);
      if (is_lstm) new_c = where(active, new_c, c);
    } else {
      outputs[size_t(t)] = new_h;
    }
    h = new_h;
    c = new_c;
  }
  Gradients out{steps > 0 ? stack(outputs, 0) : zeros({0, batch, config.output_size()}, like), h};
  if (is_lstm) out.push_back(c);
  return out;
}

template <class Derived, class Cell>
auto RecurrentLayer<Derived, Cell>::forward(const Tensor& input, const State& state,
                                            const SequenceOptions& sequence) -> Result {
  const CellConfig& config = cells[0].config;
  check_input(input, config, options, sequence);
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
    if (layer > 0) x = dropped(x, options, this->is_training());
    Tensors outputs;
    for (int64_t direction = 0; direction < directions; ++direction) {
      const size_t index = size_t(layer * directions + direction);
      const Cell& cell = cells[index];
      RecurrentOptions run = cell.recurrent_options();
      run.reverse = direction == 1;
      run.lengths = sequence.lengths;
      const Tensor c0 = given.size() > 1 ? initial[1][index] : Tensor();
      const Tensor projected = linear(x, cell.weight_ih);
      const Gradients result =
          is_fused() ? recurrent(projected, initial[0][index], c0, cell.recurrent_parameters(), run)
                     : run_by_steps(cell, projected, initial[0][index], c0, run.reverse, sequence.lengths);
      outputs.push_back(result[0]);
      for (size_t part = 0; part < given.size(); ++part) last[part].push_back(result[1 + part]);
    }
    x = directions == 1 ? outputs[0] : concat(outputs, 2);
  }
  Result result;
  result.output = options.batch_first ? x.transpose(0, 1) : x;
  Tensors parts;
  for (size_t part = 0; part < given.size(); ++part) parts.push_back(stack(last[part], 0));
  put_parts(parts, result.state);
  return result;
}

template class RecurrentLayer<RNN, RNNCell>;
template class RecurrentLayer<LSTM, LSTMCell>;
template class RecurrentLayer<GRU, GRUCell>;

}  // namespace detail

RNN::RNN(int64_t input_size, int64_t hidden_size, RNNOptions o)
    : RecurrentLayer(input_size, hidden_size, detail::stack_options(o), [&](int64_t size) {
        return RNNCell(size, hidden_size,
                       {.relu = o.relu,
                        .bias = o.bias,
                        .norm = o.norm,
                        .placement = o.placement,
                        .eps = o.eps,
                        .max_steps = o.max_steps});
      }) {}

LSTM::LSTM(int64_t input_size, int64_t hidden_size, LSTMOptions o)
    : RecurrentLayer(input_size, o.proj_size ? o.proj_size : hidden_size, detail::stack_options(o),
                     [&](int64_t size) {
                       return LSTMCell(size, hidden_size,
                                       {.bias = o.bias,
                                        .norm = o.norm,
                                        .placement = o.placement,
                                        .eps = o.eps,
                                        .max_steps = o.max_steps,
                                        .proj_size = o.proj_size});
                     }) {}

GRU::GRU(int64_t input_size, int64_t hidden_size, GRUOptions o)
    : RecurrentLayer(input_size, hidden_size, detail::stack_options(o), [&](int64_t size) {
        return GRUCell(size, hidden_size,
                       {.bias = o.bias,
                        .norm = o.norm,
                        .placement = o.placement,
                        .eps = o.eps,
                        .max_steps = o.max_steps});
      }) {}

}  // namespace tapegrad::nn
