#include <tapegrad/nn/cells.h>

#include <cmath>
#include <string_view>

#include "core/fail.h"
#include "tapegrad/ops.h"

namespace tapegrad::nn {

CellNorm::CellNorm(int64_t size, bool with_bias)
    : weight(add_parameter("weight", ones({size}))),
      bias(add_parameter("bias", with_bias ? zeros({size}) : Tensor())) {
  describe(fmt::format("{}", size));
}

namespace detail {

namespace {

int64_t gate_count(RecurrentCell cell) {
  return cell == RecurrentCell::lstm ? 4 : cell == RecurrentCell::gru ? 3 : 1;
}

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
  if (name == "bias") return bias && (separate || norm == Norm::rms);  // else the shift of ln is the bias
  if (name == "ln_ih" || name == "ln_hh") return separate;
  if (name == "ln") return !separate;
  return name == "ln_c" && cell == RecurrentCell::lstm;
}

Tensor CellConfig::initial(const char* part) const {
  const std::string_view name = part;
  const bool is_weight = name.starts_with("weight");
  if (!is_weight && !has(part)) return {};
  if (name == "bias") return zeros({width()});
  const double bound = 1 / std::sqrt(double(hidden_size));
  const Shape shape = name == "weight_ih"   ? Shape{width(), input_size}
                      : name == "weight_hh" ? Shape{width(), hidden_size}
                                            : Shape{width()};
  return rand(shape) * (2 * bound) - bound;
}

CellNorm CellConfig::norm_for(const char* part) const {
  const std::string_view name = part;
  return CellNorm(name == "ln_c" ? hidden_size : width(), norm == Norm::layer);
}

std::string CellConfig::text() const {
  std::string out = fmt::format("{}, {}", input_size, hidden_size);
  if (!bias) out += ", bias=false";
  if (cell == RecurrentCell::rnn_relu) out += ", relu=true";
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
  if (config.placement == Placement::separate) {
    const CellNorm &ln_ih = norms[at], &ln_hh = norms[at + 1];
    at += 2;
    w.gain_ih = ln_ih.weight;
    w.gain_hh = ln_hh.weight;
    w.bias = plus(w.bias, is_gru ? ln_ih.bias : plus(ln_ih.bias, ln_hh.bias));
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
Gradients CellBase<Derived>::cell_step(const CellConfig& config, const Tensor& x, const Tensor& h,
                                       const Tensor& c, const Tensor& weight_ih,
                                       const RecurrentParameters& parameters) {
  if (x.dim() != 2 || x.size(1) != config.input_size)
    fail<ShapeError>("cell", "input must be [B, {}] (input_size), got {}", config.input_size, x.shape());
  const Shape state{x.size(0), config.hidden_size};
  const auto checked_state = [&](const char* name, const Tensor& value) {
    if (!value.defined()) return zeros(state, {.dtype = x.dtype()});
    if (value.shape() != state)
      fail<ShapeError>("cell", "{} must have the shape [B, hidden_size] {}, got {}", name, state,
                       value.shape());
    return value;
  };
  return recurrent_step(
      linear(x, weight_ih), checked_state("h", h),
      config.cell == RecurrentCell::lstm ? checked_state("c", c) : Tensor(), parameters,
      {.cell = config.cell, .norm = config.norm, .placement = config.placement, .eps = config.eps});
}

template class CellBase<RNNCell>;
template class CellBase<LSTMCell>;
template class CellBase<GRUCell>;

}  // namespace detail

RNNCell::RNNCell(int64_t input_size, int64_t hidden_size, RNNCellOptions o)
    : CellBase(detail::checked({o.relu ? RecurrentCell::rnn_relu : RecurrentCell::rnn_tanh, input_size,
                                hidden_size, o.bias, o.norm, o.placement, o.eps})) {}
Tensor RNNCell::forward(const Tensor& x, const Tensor& h) {
  return step(x, h, {})[0];
}

LSTMCell::LSTMCell(int64_t input_size, int64_t hidden_size, LSTMCellOptions o)
    : CellBase(detail::checked(
          {RecurrentCell::lstm, input_size, hidden_size, o.bias, o.norm, o.placement, o.eps})) {}
LSTMState LSTMCell::forward(const Tensor& x, const State& state) {
  const Gradients next = step(x, state.h, state.c);
  return {next[0], next[1]};
}

GRUCell::GRUCell(int64_t input_size, int64_t hidden_size, GRUCellOptions o)
    : CellBase(detail::checked(
          {RecurrentCell::gru, input_size, hidden_size, o.bias, o.norm, Placement::separate, o.eps})) {}
Tensor GRUCell::forward(const Tensor& x, const Tensor& h) {
  return step(x, h, {})[0];
}

}  // namespace tapegrad::nn
