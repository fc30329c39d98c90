#include <tapegrad/nn/cells.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "ops/recurrent/recurrent.h"

namespace tapegrad::nn {

namespace {
Tensor where_tracked(int64_t max_steps, const Tensor& buffer) {
  return max_steps > 0 ? buffer : Tensor();
}
}  // namespace

CellNorm::CellNorm(int64_t size, bool with_bias, int64_t max_steps)
    : weight(add_parameter("weight", full({size}, max_steps > 0 ? 0.1 : 1))),
      bias(add_parameter("bias", with_bias ? zeros({size}) : Tensor())),
      running_mean(add_buffer("running_mean", where_tracked(max_steps, zeros({max_steps, size})))),
      running_var(add_buffer("running_var", where_tracked(max_steps, ones({max_steps, size})))),
      steps_seen(add_buffer("steps_seen", where_tracked(max_steps, zeros({1}, {.dtype = int64})))) {
  describe(max_steps > 0 ? fmt::format("{}, max_steps={}", size, max_steps) : fmt::format("{}", size));
}

Tensor CellNorm::batch_norm(const Tensor& x, int64_t time, double eps) const {
  const int64_t seen = steps_seen.data<int64_t>()[0], max_steps = running_mean.size(0);
  if (!is_training()) {
    const int64_t step = std::min(time, std::max<int64_t>(seen, 1) - 1);
    return tapegrad::batch_norm(x, running_mean[step], running_var[step], weight, bias, {.eps = eps});
  }
  const BatchNormOptions options{.training = true, .eps = eps};
  if (time >= max_steps || x.size(0) == 0) return tapegrad::batch_norm(x, {}, {}, weight, bias, options);
  const Tensor y = tapegrad::batch_norm(x, running_mean[time], running_var[time], weight, bias, options);
  if (time >= seen) Tensor(steps_seen).fill_(double(time + 1));
  return y;
}

namespace detail {

namespace {

const CellConfig& checked(const CellConfig& config) {
  if (config.input_size < 1 || config.hidden_size < 1)
    fail<ValueError>("recurrent cell", "input_size and hidden_size must be positive, got {} and {}",
                     config.input_size, config.hidden_size);
  if (!(config.eps > 0)) fail<ValueError>("recurrent cell", "eps must be positive, got {}", config.eps);
  if (config.norm == Norm::batch && config.max_steps < 1)
    fail<ValueError>("recurrent cell",
                     "norm batch needs max_steps, the number of time steps with statistics of their own, got "
                     "{}. Hint: the length of the longest training sequence",
                     config.max_steps);
  if (config.cell == RecurrentCell::gru && config.norm == Norm::batch && config.placement == Placement::sum)
    fail<ValueError>("recurrent cell",
                     "norm batch of a gru stands at its two products. Hint: Placement::separate");
  if (config.proj_size < 0 || config.proj_size >= config.hidden_size)
    fail<ValueError>("recurrent cell", "proj_size must be in [0, hidden_size {}), got {}", config.hidden_size,
                     config.proj_size);
  return config;
}

Tensor plus(const Tensor& a, const Tensor& b) {
  return a.defined() && b.defined() ? a + b : a.defined() ? a : b;
}

Tensor uniform(const CellConfig& config, bool wanted, const Shape& shape) {
  if (!wanted) return {};
  const double bound = 1 / std::sqrt(double(config.hidden_size));
  return rand(shape) * (2 * bound) - bound;
}

// The bias beside a norm: not where the shift of one norm on the sum is the bias.
bool has_bias(const CellConfig& config) {
  return config.bias && config.norm != Norm::none &&
         (config.placement == Placement::separate || config.norm != Norm::layer);
}

}  // namespace

std::string to_string(const CellConfig& c) {
  std::string out = fmt::format("{}, {}", c.input_size, c.hidden_size);
  if (!c.bias) out += ", bias=false";
  if (c.cell == RecurrentCell::rnn_relu) out += ", relu=true";
  if (c.proj_size) out += fmt::format(", proj_size={}", c.proj_size);
  if (c.norm != Norm::none)
    out += fmt::format(", norm={}, placement={}", norm_name(c.norm),
                       c.placement == Placement::sum ? "sum" : "separate");
  return out;
}

template <class Derived, class StateOf>
CellBase<Derived, StateOf>::CellBase(const CellConfig& c)
    : config(checked(c)),
      weight_ih(this->add_parameter("weight_ih", uniform(c, true, {c.width(), c.input_size}))),
      weight_hh(this->add_parameter("weight_hh", uniform(c, true, {c.width(), c.output_size()}))),
      bias_ih(this->add_parameter("bias_ih", uniform(c, c.bias && c.norm == Norm::none, {c.width()}))),
      bias_hh(this->add_parameter("bias_hh", uniform(c, c.bias && c.norm == Norm::none, {c.width()}))),
      bias(this->add_parameter("bias", has_bias(c) ? zeros({c.width()}) : Tensor())),
      weight_hr(this->add_parameter("weight_hr", uniform(c, c.proj_size > 0, {c.proj_size, c.hidden_size}))) {
  this->describe(to_string(c));
  const bool learned = c.norm == Norm::layer || c.norm == Norm::rms, batch = c.norm == Norm::batch;
  const bool separate = c.placement == Placement::separate, lstm = c.cell == RecurrentCell::lstm;
  const bool shift = c.norm == Norm::layer;  // else the gates' shift is the bias
  ln_ih = norm_at("ln_ih", learned && separate, c.width(), shift);
  ln_hh = norm_at("ln_hh", learned && separate, c.width(), shift);
  ln = norm_at("ln", learned && !separate, c.width(), shift);
  ln_c = norm_at("ln_c", learned && lstm, c.hidden_size, shift);
  bn_ih = norm_at("bn_ih", batch && separate, c.width(), false);
  bn_hh = norm_at("bn_hh", batch && separate, c.width(), false);
  bn = norm_at("bn", batch && !separate, c.width(), false);
  bn_c = norm_at("bn_c", batch && lstm, c.hidden_size, true);
}

template <class Derived, class StateOf>
CellNorm CellBase<Derived, StateOf>::norm_at(const char* name, bool wanted, int64_t size, bool with_bias) {
  if (!wanted) return {};
  return this->add(name, CellNorm(size, with_bias, config.norm == Norm::batch ? config.max_steps : 0));
}

template <class Derived, class StateOf>
RecurrentParameters CellBase<Derived, StateOf>::recurrent_parameters() const {
  const bool is_gru = config.cell == RecurrentCell::gru;  // which keeps what is added to W_hh h apart
  const Tensor shift_hh = plus(bias_hh, ln_hh.bias), to_sum = is_gru ? Tensor() : shift_hh;
  return {.weight_hh = weight_hh,
          .bias = plus(plus(bias, ln.bias), plus(plus(bias_ih, ln_ih.bias), to_sum)),
          .bias_hh = is_gru ? shift_hh : Tensor(),
          .gain_ih = ln_ih.weight,
          .gain_hh = ln.weight.defined() ? ln.weight : ln_hh.weight,
          .gain_c = ln_c.weight,
          .bias_c = ln_c.bias};
}

template <class Derived, class StateOf>
Tensors CellBase<Derived, StateOf>::advance(const Tensor& projected, const Tensors& state,
                                            const RecurrentParameters& parameters, int64_t time,
                                            const Tensor& h_mask) const {
  Tensor p = projected, q = linear(h_mask.defined() ? state[0] * h_mask : state[0], weight_hh);
  RecurrentOptions options = config;
  std::function<Tensor(const Tensor&)> norm_c;
  if (config.norm == Norm::batch) {
    // Normalized here, where the statistics are; for the rest the cell is a plain one.
    options.norm = Norm::none;
    if (config.placement == Placement::separate) {
      p = bn_ih.batch_norm(p, time, config.eps);
      q = bn_hh.batch_norm(q, time, config.eps);
    } else {
      p = bn.batch_norm(p + q, time, config.eps);
      q = {};
    }
    norm_c = [this, time](const Tensor& value) { return bn_c.batch_norm(value, time, config.eps); };
  }
  Tensors next = recurrent_update(p, q, state, parameters, options, norm_c);
  if (weight_hr.defined()) next[0] = linear(next[0], weight_hr);
  return next;
}

template <class Derived, class StateOf>
StateOf CellBase<Derived, StateOf>::forward(const Tensor& x, const State& state, int64_t time) {
  if (x.dim() != 2 || x.size(1) != config.input_size)
    fail<ShapeError>("cell", "input must be [B, {}] (input_size), got {}", config.input_size, x.shape());
  if (time < 0) fail<ValueError>("cell", "time must not be negative, got {}", time);
  const auto check_state = [&](const char* name, const char* size_name, int64_t size, const Tensor& value) {
    const Shape shape{x.size(0), size};
    if (value.defined() && value.shape() != shape)
      fail<ShapeError>("cell", "{} must have the shape [B, {}] {}, got {}", name, size_name, shape,
                       value.shape());
  };
  const Tensors given = parts_of(state);
  check_state("h", config.proj_size ? "proj_size" : "hidden_size", config.output_size(), given[0]);
  if (given.size() > 1) check_state("c", "hidden_size", config.hidden_size, given[1]);
  const Tensors from = state_or_zeros(given[0], given[given.size() - 1], x.size(0), config.output_size(),
                                      config.hidden_size, config.cell, x.dtype());
  return state_of<State>(advance(linear(x, weight_ih), from, recurrent_parameters(), time));
}

template class CellBase<RNNCell, Tensor>;
template class CellBase<LSTMCell, LSTMState>;
template class CellBase<GRUCell, Tensor>;

}  // namespace detail

RNNCell::RNNCell(int64_t input_size, int64_t hidden_size, RNNCellOptions options)
    : CellBase(detail::cell_config(options.relu ? RecurrentCell::rnn_relu : RecurrentCell::rnn_tanh,
                                   input_size, hidden_size, options)) {}
LSTMCell::LSTMCell(int64_t input_size, int64_t hidden_size, LSTMCellOptions options)
    : CellBase(detail::cell_config(RecurrentCell::lstm, input_size, hidden_size, options)) {}
GRUCell::GRUCell(int64_t input_size, int64_t hidden_size, GRUCellOptions options)
    : CellBase(detail::cell_config(RecurrentCell::gru, input_size, hidden_size, options)) {}

}  // namespace tapegrad::nn
