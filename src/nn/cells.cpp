#include <tapegrad/nn/cells.h>
#include <tapegrad/nn/init.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "ops/recurrent/recurrent.h"

namespace tapegrad::nn {

CellNorm::CellNorm(int64_t size, bool with_bias, int64_t max_steps)
    : weight(add_parameter("weight", full({size}, max_steps > 0 ? 0.1 : 1))),
      bias(add_parameter("bias", with_bias ? zeros({size}) : Tensor())) {
  describe(max_steps > 0 ? fmt::format("{}, max_steps={}", size, max_steps) : fmt::format("{}", size));
  if (max_steps == 0) return;
  running_mean = add_buffer("running_mean", zeros({max_steps, size}));
  running_var = add_buffer("running_var", ones({max_steps, size}));
  steps_seen = add_buffer("steps_seen", zeros({1}, {.dtype = int64}));
}

Tensor CellNorm::batch_norm(const Tensor& x, int64_t time, double eps) const {
  const int64_t seen = steps_seen.data<int64_t>()[0], max_steps = running_mean.size(0);
  const BatchNormOptions options{.training = is_training(), .eps = eps};
  if (is_training() && (time >= max_steps || x.size(0) == 0))
    return tapegrad::batch_norm(x, {}, {}, weight, bias, options);
  const int64_t step = is_training() ? time : std::min(time, std::max<int64_t>(seen, 1) - 1);
  const Tensor y = tapegrad::batch_norm(x, running_mean[step], running_var[step], weight, bias, options);
  if (is_training() && time >= seen) Tensor(steps_seen).fill_(double(time + 1));
  return y;
}

namespace detail {

namespace {

CellConfig checked(RecurrentCell kind, int64_t input_size, int64_t hidden_size, const RecurrentCellOptions& o) {
  const char* name = "recurrent cell";
  const bool is_rnn = kind == RecurrentCell::rnn_tanh;
  if (input_size < 1 || hidden_size < 1)
    fail<ValueError>(name, "input_size and hidden_size must be positive, got {} and {}", input_size, hidden_size);
  if (o.relu && !is_rnn) fail<ValueError>(name, "relu is an option of RNNCell and RNN only");
  if (!(o.eps > 0)) fail<ValueError>(name, "eps must be positive, got {}", o.eps);
  if (o.norm == Norm::batch && o.max_steps < 1)
    fail<ValueError>(name,
                     "norm batch needs max_steps, the number of time steps with statistics of their own, got "
                     "{}. Hint: the length of the longest training sequence",
                     o.max_steps);
  const Placement placement = o.placement.value_or(is_rnn ? Placement::sum : Placement::separate);
  if (kind == RecurrentCell::gru && o.norm == Norm::batch && placement == Placement::sum)
    fail<ValueError>(name, "norm batch of a gru stands at its two products. Hint: Placement::separate");
  if (o.proj_size != 0 && kind != RecurrentCell::lstm)
    fail<ValueError>(name, "proj_size is an option of LSTMCell and LSTM only");
  if (o.proj_size < 0 || o.proj_size >= hidden_size)
    fail<ValueError>(name, "proj_size must be in [0, hidden_size {}), got {}", hidden_size, o.proj_size);
  if (!o.reset_after && kind != RecurrentCell::gru)
    fail<ValueError>(name, "reset_after is an option of GRUCell and GRU only");
  if (!o.reset_after && o.norm != Norm::none)
    fail<ValueError>(name, "reset_after = false has no norm, got {}", norm_name(o.norm));
  const RecurrentCell cell = o.relu ? RecurrentCell::rnn_relu : kind;
  const RecurrentOptions how{.cell = cell, .norm = o.norm, .placement = placement, .eps = o.eps};
  return {how, input_size, hidden_size, o.bias, o.max_steps, o.proj_size, o.reset_after};
}

Tensor plus(const Tensor& a, const Tensor& b) { return a.defined() && b.defined() ? a + b : a.defined() ? a : b; }

}  // namespace

std::string to_string(const CellConfig& c) {
  std::string out = fmt::format("{}, {}", c.input_size, c.hidden_size);
  if (!c.bias) out += ", bias=false";
  if (c.cell == RecurrentCell::rnn_relu) out += ", relu=true";
  if (c.proj_size) out += fmt::format(", proj_size={}", c.proj_size);
  if (!c.reset_after) out += ", reset_after=false";
  if (c.norm != Norm::none)
    out += fmt::format(", norm={}, placement={}", norm_name(c.norm), placement_name(c.placement));
  return out;
}

template <class Derived, RecurrentCell kind>
CellBase<Derived, kind>::CellBase(int64_t input_size, int64_t hidden_size, const RecurrentCellOptions& options)
    : Module<Derived>(typename Module<Derived>::Between()), config(checked(kind, input_size, hidden_size, options)) {
  this->describe(to_string(config));
  const int64_t width = config.width(), proj_size = config.proj_size;
  const double bound = 1 / std::sqrt(double(hidden_size));
  const auto uniform = [&](const char* name, bool wanted, const Shape& shape) {
    return this->add_parameter(name, wanted ? init::uniform(empty(shape), -bound, bound) : Tensor());
  };
  const bool normed = config.norm != Norm::none;
  // None beside one norm on the sum that has a shift.
  const bool shifted = config.norm == Norm::layer && config.placement == Placement::sum;
  weight_ih = uniform("weight_ih", true, {width, input_size});
  weight_hh = uniform("weight_hh", true, {width, config.output_size()});
  bias_ih = uniform("bias_ih", config.bias && !normed, {width});
  bias_hh = uniform("bias_hh", config.bias && !normed, {width});
  bias = this->add_parameter("bias", config.bias && normed && !shifted ? zeros({width}) : Tensor());
  weight_hr = uniform("weight_hr", proj_size > 0, {proj_size, hidden_size});
  if (!normed) return;
  const bool batch = config.norm == Norm::batch;
  const auto add_norm = [&](const std::string& place, CellNorm& learned, CellNorm& of_batch, int64_t size,
                            bool with_bias) {
    (batch ? of_batch : learned) =
        this->add((batch ? "bn" : "ln") + place, CellNorm(size, with_bias, batch ? config.max_steps : 0));
  };
  const bool with_bias = config.norm == Norm::layer;  // else the gates' shift is the cell's bias
  if (config.placement == Placement::sum) {
    add_norm("", ln, bn, width, with_bias);
  } else {
    add_norm("_ih", ln_ih, bn_ih, width, with_bias);
    add_norm("_hh", ln_hh, bn_hh, width, with_bias);
  }
  if (kind == RecurrentCell::lstm) add_norm("_c", ln_c, bn_c, hidden_size, config.norm != Norm::rms);
}

template <class Derived, RecurrentCell kind>
RecurrentParameters CellBase<Derived, kind>::recurrent_parameters() const {
  // A gru keeps what is added to W_hh h apart.
  const Tensor from_h = plus(bias_hh, ln_hh.bias), from_x = plus(bias_ih, ln_ih.bias);
  const bool apart = kind == RecurrentCell::gru;
  return {.weight_hh = weight_hh,
          .bias = plus(plus(bias, ln.bias), apart ? from_x : plus(from_x, from_h)),
          .bias_hh = apart ? from_h : Tensor(),
          .gain_ih = ln_ih.weight,
          .gain_hh = ln.weight.defined() ? ln.weight : ln_hh.weight,
          .gain_c = ln_c.weight,
          .bias_c = ln_c.bias};
}

template <class Derived, RecurrentCell kind>
Tensors CellBase<Derived, kind>::advance(const Tensor& projected, const Tensors& state,
                                         const RecurrentParameters& parameters, int64_t time,
                                         const Tensor& h_mask) const {
  const Tensor h = h_mask.defined() ? state[0] * h_mask : state[0];
  if (!config.reset_after) {
    const Tensor a = plus(projected, plus(parameters.bias, parameters.bias_hh));
    const int64_t size = config.hidden_size;
    const Tensors of_a = split(a, {2 * size, size}, 1), w = split(weight_hh, {2 * size, size});
    const Tensors gates = chunk(sigmoid(of_a[0] + linear(h, w[0])), 2, 1);
    const Tensor n = tanh(of_a[1] + linear(gates[0] * h, w[1]));
    return {n + gates[1] * (state[0] - n)};
  }
  Tensor p = projected, q = linear(h, weight_hh);
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

template <class Derived, RecurrentCell kind>
auto CellBase<Derived, kind>::forward(const Tensor& x, const State& state, int64_t time) -> State {
  if (x.dim() != 2 || x.size(1) != config.input_size)
    fail<ShapeError>("cell", "input must be [B, {}] (input_size), got {}", config.input_size, x.shape());
  if (time < 0) fail<ValueError>("cell", "time must not be negative, got {}", time);
  const auto check_state = [&](const char* name, const char* size_name, int64_t size, const Tensor& value) {
    const Shape shape{x.size(0), size};
    if (value.defined() && value.shape() != shape)
      fail<ShapeError>("cell", "{} must have the shape [B, {}] {}, got {}", name, size_name, shape, value.shape());
  };
  const auto [h, c] = parts_of(state);
  check_state("h", config.proj_size ? "proj_size" : "hidden_size", config.output_size(), h);
  check_state("c", "hidden_size", config.hidden_size, c);
  const Tensors from =
      state_or_zeros(h, c, x.size(0), config.output_size(), config.hidden_size, config.cell, x.dtype());
  return state_of<State>(advance(linear(x, weight_ih), from, recurrent_parameters(), time));
}

template class CellBase<RNNCell, RecurrentCell::rnn_tanh>;
template class CellBase<LSTMCell, RecurrentCell::lstm>;
template class CellBase<GRUCell, RecurrentCell::gru>;

}  // namespace detail

}  // namespace tapegrad::nn
