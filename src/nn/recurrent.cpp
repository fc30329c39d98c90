// The stack: for each layer and direction one product for the projected input and one fused operation for the
// rest. What the fused operation does not have (batch statistics, zoneout, masks on h, projections) is a loop
// of simple ones, for which the tape knows the gradients.
#include <tapegrad/nn/recurrent.h>

#include "core/fail.h"
#include "ops/recurrent/recurrent.h"

namespace tapegrad::nn {

namespace detail {

namespace {

void check_input(const Tensor& x, const CellConfig& cell, bool batch_first, const SequenceOptions& sequence) {
  const auto& [lengths, reset] = sequence;
  const char* layout = batch_first ? "[B, T, " : "[T, B, ";
  if (x.dim() != 3 || x.size(2) != cell.input_size)
    fail<ShapeError>("", "input must be {}{}] (input_size {}), got {}", layout, cell.input_size, cell.input_size,
                     x.shape());
  const int64_t batch = x.size(batch_first ? 0 : 1), steps = x.size(batch_first ? 1 : 0);
  if (reset.defined() && (reset.dtype() != boolean || reset.shape() != Shape{batch}))
    fail<ShapeError>("", "reset must be boolean [{}], got {} {}", batch, reset.dtype(), reset.shape());
  if (!lengths.defined()) return;
  if (cell.norm == Norm::batch)
    fail<ValueError>("", "norm batch takes no lengths: its statistics are those of whole batches");
  if (lengths.dtype() != int64 || lengths.shape() != Shape{batch})
    fail<ShapeError>("", "lengths must be int64 [{}], got {} {}{}", batch, lengths.dtype(), lengths.shape(),
                     steps == batch || lengths.shape() != Shape{steps} ? ""
                     : batch_first ? ". Hint: without batch_first the input is [T, B, input_size]"
                                   : ". Hint: {.batch_first = true} if the input is [B, T, input_size]");
  const Tensor each = lengths.contiguous();
  for (int64_t n : each.data<int64_t>())
    if (n < 0 || n > steps) fail<IndexError>("", "lengths must be in [0, {}], got {}", steps, n);
}

// The initial state of each layer and direction, rows that are reset at zero; undefined ones stay so.
Tensors initial_states(const Tensor& state, const Shape& shape, const Tensor& reset) {
  Tensors out;
  out.resize(size_t(shape[0]));
  if (!state.defined()) return out;
  if (state.shape() != shape)
    fail<ShapeError>("", "a state must be [layers * directions, B, hidden_size] {}, got {}", shape, state.shape());
  return unbind(reset.defined() ? where(reset.unsqueeze(1), 0.0, state) : state, 0);
}

// Each element keeps its old value with probability p; in evaluation the mean of what training does.
Tensor zoned_out(const Tensor& before, const Tensor& after, double p, bool training) {
  if (p == 0) return after;
  if (!training) return after + (before - after) * p;
  return where(bernoulli(after.shape(), p, {.dtype = boolean}), before, after);
}

std::string text(const CellConfig& config, const RecurrentLayerOptions& options) {
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

template <class Derived, class Cell>
RecurrentLayer<Derived, Cell>::RecurrentLayer(int64_t input_size, int64_t hidden_size, const Options& given)
    : Module<Derived>(typename Module<Derived>::Between()), options(given) {
  if (options.num_layers < 1)
    fail<ValueError>("recurrent layer", "num_layers must be at least 1, got {}", options.num_layers);
  for (const auto& [name, p] : {std::pair{"dropout", options.dropout},
                                {"zoneout", options.zoneout},
                                {"recurrent_dropout", options.recurrent_dropout}})
    if (!(p >= 0 && p <= 1)) fail<ValueError>("recurrent layer", "{} must be in [0, 1], got {}", name, p);
  const RecurrentCellOptions of_cells{.relu = options.relu,
                                      .bias = options.bias,
                                      .norm = options.norm,
                                      .placement = options.placement,
                                      .eps = options.eps,
                                      .max_steps = options.max_steps,
                                      .proj_size = options.proj_size,
                                      .reset_after = options.reset_after};
  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    for (const char* direction : {"", "_reverse"})
      if (options.bidirectional || !*direction)
        cells.push_back(
            this->add_flat(fmt::format("_l{}{}", layer, direction), Cell(input_size, hidden_size, of_cells)));
    input_size = cells[0].config.output_size() * (options.bidirectional ? 2 : 1);
  }
  this->describe(text(cells[0].config, options));
}

// One direction of one layer: the fused operation, or step by step what that does not have.
template <class Derived, class Cell>
Tensors RecurrentLayer<Derived, Cell>::run(const Cell& cell, const Tensor& projected, const Tensor& h0,
                                           const Tensor& c0, const RecurrentOptions& how) const {
  const CellConfig& config = cell.config;
  const bool training = this->is_training(), masked = training && options.recurrent_dropout > 0;
  const RecurrentParameters parameters = cell.recurrent_parameters();
  if (config.norm != Norm::batch && config.proj_size == 0 && options.zoneout == 0 && !masked && config.reset_after)
    return recurrent(projected, h0, c0, parameters, how);
  const Tensors state = state_or_zeros(h0, c0, projected.size(1), config.output_size(), config.hidden_size, config.cell,
                                       projected.dtype());
  const Tensor mask = masked ? dropout(ones_like(state[0]), options.recurrent_dropout) : Tensor();
  return recurrent_loop(projected, state, how, [&](const Tensor& p, const Tensors& now, int64_t k) {
    Tensors next = cell.advance(p, now, parameters, k, mask);
    for (size_t part = 0; part < next.size(); ++part)
      next[part] = zoned_out(now[part], next[part], options.zoneout, training);
    return next;
  });
}

template <class Derived, class Cell>
auto RecurrentLayer<Derived, Cell>::forward(const Tensor& input, const State& state, const SequenceOptions& sequence)
    -> Result {
  const CellConfig& config = cells[0].config;
  check_input(input, config, options.batch_first, sequence);
  Tensor x = options.batch_first ? input.transpose(0, 1) : input;
  const int64_t batch = x.size(1), directions = options.bidirectional ? 2 : 1;
  // Padding may hold anything, and 0 * NaN in the gradient of the weights would be NaN.
  if (sequence.lengths.defined())
    x = where(lt(arange(x.size(0)).unsqueeze(1), sequence.lengths.unsqueeze(0)).unsqueeze(2), x, 0.0);
  const auto [h, c] = parts_of(state);
  const Tensors h0 = initial_states(h, {int64_t(cells.size()), batch, config.output_size()}, sequence.reset);
  const Tensors c0 = initial_states(c, {int64_t(cells.size()), batch, config.hidden_size}, sequence.reset);
  Tensors last_h, last_c;
  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    if (layer > 0 && this->is_training() && options.dropout > 0)
      x = options.variational ? x * dropout(ones({1, batch, x.size(2)}, {.dtype = x.dtype()}), options.dropout)
                              : dropout(x, options.dropout);
    Tensors outputs;
    for (int64_t direction = 0; direction < directions; ++direction) {
      const size_t index = size_t(layer * directions + direction);
      const Cell& cell = cells[index];
      RecurrentOptions how = cell.config;
      how.reverse = direction == 1;
      how.lengths = sequence.lengths;
      const Tensors result = run(cell, linear(x, cell.weight_ih), h0[index], c0[index], how);
      outputs.push_back(result[0]);
      last_h.push_back(result[1]);
      if (result.size() > 2) last_c.push_back(result[2]);
    }
    x = directions == 1 ? outputs[0] : concat(outputs, 2);
  }
  Tensors parts{stack(last_h, 0)};
  if (!last_c.empty()) parts.push_back(stack(last_c, 0));
  return {options.batch_first ? x.transpose(0, 1) : x, state_of<State>(parts)};
}

template class RecurrentLayer<RNN, RNNCell>;
template class RecurrentLayer<LSTM, LSTMCell>;
template class RecurrentLayer<GRU, GRUCell>;

}  // namespace detail

}  // namespace tapegrad::nn
