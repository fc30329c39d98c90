#include <tapegrad/nn/cells.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/fail.h"
#include "ops/recurrent/recurrent.h"
#include "tapegrad/ops.h"

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

const char* norm_name(Norm norm) {
  switch (norm) {
    case Norm::none: return "none";
    case Norm::layer: return "layer";
    case Norm::rms: return "rms";
    case Norm::batch: break;
  }
  return "batch";
}

CellConfig checked(CellConfig config) {
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

}  // namespace

int64_t CellConfig::width() const {
  return gate_count(cell) * hidden_size;
}

bool CellConfig::has(const char* part) const {
  const std::string_view name = part;
  if (name == "bias_ih" || name == "bias_hh") return bias && norm == Norm::none;
  if (norm == Norm::none) return false;
  const bool separate = placement == Placement::separate;
  if (name == "bias") return bias && (separate || norm != Norm::layer);  // else the shift of ln is the bias
  if (!name.starts_with(norm == Norm::batch ? "bn" : "ln")) return false;
  const std::string_view of = name.substr(2);
  if (of == "_ih" || of == "_hh") return separate;
  if (of == "") return !separate;
  return of == "_c" && cell == RecurrentCell::lstm;
}

Tensor CellConfig::initial(const char* part) const {
  const std::string_view name = part;
  if (name == "weight_hr" && proj_size == 0) return {};
  const bool is_weight = name.starts_with("weight");
  if (!is_weight && !has(part)) return {};
  if (name == "bias") return zeros({width()});
  const double bound = 1 / std::sqrt(double(hidden_size));
  const Shape shape = name == "weight_ih"   ? Shape{width(), input_size}
                      : name == "weight_hh" ? Shape{width(), output_size()}
                      : name == "weight_hr" ? Shape{proj_size, hidden_size}
                                            : Shape{width()};
  return rand(shape) * (2 * bound) - bound;
}

CellNorm CellConfig::norm_for(const char* part) const {
  const std::string_view name = part;
  const bool of_cell = name.ends_with("_c");
  return CellNorm(of_cell ? hidden_size : width(),
                  norm == Norm::layer || (norm == Norm::batch && of_cell),  // the gates' shift is the bias
                  norm == Norm::batch ? max_steps : 0);
}

std::string CellConfig::text() const {
  std::string out = fmt::format("{}, {}", input_size, hidden_size);
  if (!bias) out += ", bias=false";
  if (cell == RecurrentCell::rnn_relu) out += ", relu=true";
  if (proj_size) out += fmt::format(", proj_size={}", proj_size);
  if (norm != Norm::none)
    out += fmt::format(", norm={}, placement={}", norm_name(norm),
                       placement == Placement::sum ? "sum" : "separate");
  return out;
}

template <class Derived>
RecurrentParameters CellBase<Derived>::cell_parameters(const CellConfig& config, const Tensor& weight_hh,
                                                       const Tensor& bias_ih, const Tensor& bias_hh,
                                                       const Tensor& bias,
                                                       const std::vector<CellNorm>& norms) {
  RecurrentParameters w;
  w.weight_hh = weight_hh;
  const bool is_gru = config.cell == RecurrentCell::gru;
  if (config.norm == Norm::none) {
    w.bias = is_gru ? bias_ih : plus(bias_ih, bias_hh);
    if (is_gru) w.bias_hh = bias_hh;
    return w;
  }
  size_t at = 0;
  w.bias = bias;
  if (config.norm == Norm::batch) return w;  // its gains go with its statistics
  if (config.placement == Placement::separate) {
    const CellNorm &ln_ih = norms[at], &ln_hh = norms[at + 1];
    at += 2;
    w.gain_ih = ln_ih.weight;
    w.gain_hh = ln_hh.weight;
    w.bias = plus(w.bias, is_gru ? Tensor(ln_ih.bias) : plus(ln_ih.bias, ln_hh.bias));
    if (is_gru) w.bias_hh = ln_hh.bias;
  } else {
    const CellNorm& ln = norms[at++];
    w.gain_hh = ln.weight;
    w.bias = plus(w.bias, ln.bias);
  }
  if (config.cell == RecurrentCell::lstm) {
    w.gain_c = norms[at].weight;
    w.bias_c = norms[at].bias;
  }
  return w;
}

template <class Derived>
Gradients CellBase<Derived>::advance(const Tensor& projected, const Tensor& h, const Tensor& c,
                                     const RecurrentParameters& parameters, int64_t time,
                                     const Tensor& h_mask) const {
  Tensor p = projected, q = linear(h_mask.defined() ? h * h_mask : h, weight_hh);
  RecurrentOptions options = recurrent_options();
  std::function<Tensor(const Tensor&)> norm_c;
  if (config.norm == Norm::batch) {
    // Normalized here, where the statistics are; for the rest the cell is a plain one.
    options.norm = Norm::none;
    if (config.placement == Placement::separate) {
      p = norms[0].batch_norm(p, time, config.eps);
      q = norms[1].batch_norm(q, time, config.eps);
    } else {
      p = norms[0].batch_norm(p + q, time, config.eps);
      q = {};
    }
    norm_c = [this, time](const Tensor& value) { return norms.back().batch_norm(value, time, config.eps); };
  }
  Gradients next = recurrent_update(p, q, h, c, parameters, options, norm_c);
  if (weight_hr.defined()) next[0] = linear(next[0], weight_hr);
  return next;
}

template <class Derived>
Gradients CellBase<Derived>::step(const Tensor& x, const Tensor& h, const Tensor& c, int64_t time) const {
  if (x.dim() != 2 || x.size(1) != config.input_size)
    fail<ShapeError>("cell", "input must be [B, {}] (input_size), got {}", config.input_size, x.shape());
  if (time < 0) fail<ValueError>("cell", "time must not be negative, got {}", time);
  const auto checked_state = [&](const char* name, const char* size_name, int64_t size, const Tensor& value) {
    const Shape shape{x.size(0), size};
    if (!value.defined()) return zeros(shape, {.dtype = x.dtype()});
    if (value.shape() != shape)
      fail<ShapeError>("cell", "{} must have the shape [B, {}] {}, got {}", name, size_name, shape,
                       value.shape());
    return value;
  };
  const bool is_lstm = config.cell == RecurrentCell::lstm;
  const Tensor from_h =
      checked_state("h", config.proj_size ? "proj_size" : "hidden_size", config.output_size(), h);
  const Tensor from_c = is_lstm ? checked_state("c", "hidden_size", config.hidden_size, c) : Tensor();
  return advance(linear(x, weight_ih), from_h, from_c, recurrent_parameters(), time);
}

template class CellBase<RNNCell>;
template class CellBase<LSTMCell>;
template class CellBase<GRUCell>;

}  // namespace detail

RNNCell::RNNCell(int64_t input_size, int64_t hidden_size, RNNCellOptions o)
    : CellBase(detail::checked({o.relu ? RecurrentCell::rnn_relu : RecurrentCell::rnn_tanh, input_size,
                                hidden_size, o.bias, o.norm, o.placement, o.eps, o.max_steps})) {}
Tensor RNNCell::forward(const Tensor& x, const Tensor& h, int64_t time) {
  return step(x, h, {}, time)[0];
}

LSTMCell::LSTMCell(int64_t input_size, int64_t hidden_size, LSTMCellOptions o)
    : CellBase(detail::checked({RecurrentCell::lstm, input_size, hidden_size, o.bias, o.norm, o.placement,
                                o.eps, o.max_steps, o.proj_size})) {}
LSTMState LSTMCell::forward(const Tensor& x, const State& state, int64_t time) {
  const Gradients next = step(x, state.h, state.c, time);
  return {next[0], next[1]};
}

GRUCell::GRUCell(int64_t input_size, int64_t hidden_size, GRUCellOptions o)
    : CellBase(detail::checked(
          {RecurrentCell::gru, input_size, hidden_size, o.bias, o.norm, o.placement, o.eps, o.max_steps})) {}
Tensor GRUCell::forward(const Tensor& x, const Tensor& h, int64_t time) {
  return step(x, h, {}, time)[0];
}

}  // namespace tapegrad::nn
