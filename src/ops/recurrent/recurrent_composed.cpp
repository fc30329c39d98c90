// The recurrent cells made of simple operations, one step at a time: what the equations say and no more. The
// fused form in recurrent.cpp is tested against it, and second derivatives go through it.
#include "ops/recurrent/recurrent.h"

namespace tapegrad {

namespace {

// N(x) * gain over the last axis, or x itself.
Tensor normalized(const Tensor& x, const Tensor& gain, const RecurrentOptions& options) {
  if (options.norm == Norm::none) return x;
  if (options.norm == Norm::rms) return rms_norm(x, {x.size(-1)}, gain, {.eps = options.eps});
  return layer_norm(x, {x.size(-1)}, gain, {}, {.eps = options.eps});
}

Tensor plus(const Tensor& x, const Tensor& bias) { return bias.defined() ? x + bias : x; }

Tensor summed_inputs(const Tensor& p, const Tensor& q, const RecurrentParameters& w, const RecurrentOptions& options) {
  if (options.norm != Norm::none && options.placement == Placement::separate)
    return plus(normalized(p, w.gain_ih, options) + normalized(q, w.gain_hh, options), w.bias);
  return plus(normalized(q.defined() ? p + q : p, w.gain_hh, options), w.bias);
}

// Some of a gru's three parts, r, z and n, of h values each; undefined stays so.
Tensor part(const Tensor& x, int64_t h, int64_t first, int64_t count) {
  return x.defined() ? narrow(x, -1, first * h, count * h) : x;
}

// The gates' 2H values have one mean and variance, the candidate's H another.
Tensor gru_part(const Tensor& x, const Tensor& gain, const Tensor& bias, const RecurrentOptions& options) {
  if (options.norm == Norm::none) return plus(x, bias);
  const int64_t h = x.size(-1) / 3;
  const Tensors parts = split(x, {2 * h, h}, -1);
  const Tensor gates = normalized(parts[0], part(gain, h, 0, 2), options);
  return plus(concat({gates, normalized(parts[1], part(gain, h, 2, 1), options)}, -1), bias);
}

// r, z = sigmoid(N(p + q));  n = tanh(N(p + r q)).
Tensor gru_of_sums(const Tensor& p, const Tensor& q, const Tensor& state, const RecurrentParameters& w,
                   const RecurrentOptions& options) {
  const int64_t h = state.size(-1);
  const auto sum = [&](const Tensor& x, int64_t first, int64_t count) {
    return plus(normalized(x, part(w.gain_hh, h, first, count), options), part(w.bias, h, first, count));
  };
  const Tensors gates = chunk(sigmoid(sum(part(p, h, 0, 2) + part(q, h, 0, 2), 0, 2)), 2, -1);
  const Tensor candidate = tanh(sum(part(p, h, 2, 1) + gates[0] * part(q, h, 2, 1), 2, 1));
  return candidate + gates[1] * (state - candidate);
}

}  // namespace

Tensors recurrent_step(const Tensor& projected, const Tensor& h, const Tensor& c, const RecurrentParameters& w,
                       const RecurrentOptions& options) {
  return recurrent_update(projected, linear(h, w.weight_hh), {h, c}, w, options);
}

Tensors recurrent_update(const Tensor& projected, const Tensor& q, const Tensors& state, const RecurrentParameters& w,
                         const RecurrentOptions& options, const std::function<Tensor(const Tensor&)>& norm_c) {
  switch (options.cell) {
    case RecurrentCell::rnn_tanh: return {tanh(summed_inputs(projected, q, w, options))};
    case RecurrentCell::rnn_relu: return {relu(summed_inputs(projected, q, w, options))};
    case RecurrentCell::lstm: {
      const Tensors gates = chunk(summed_inputs(projected, q, w, options), 4, -1);
      const Tensor next = sigmoid(gates[1]) * state[1] + sigmoid(gates[0]) * tanh(gates[2]);
      const Tensor shown = norm_c ? norm_c(next) : plus(normalized(next, w.gain_c, options), w.bias_c);
      return {sigmoid(gates[3]) * tanh(shown), next};
    }
    case RecurrentCell::gru: break;
  }
  const Tensor& h = state[0];
  if (options.norm != Norm::none && options.placement == Placement::sum)
    return {gru_of_sums(projected, q, h, w, options)};
  const Tensors from_x = chunk(gru_part(projected, w.gain_ih, w.bias, options), 3, -1);
  const Tensors from_h = chunk(gru_part(q, w.gain_hh, w.bias_hh, options), 3, -1);
  const Tensor reset = sigmoid(from_x[0] + from_h[0]), update = sigmoid(from_x[1] + from_h[1]);
  const Tensor candidate = tanh(from_x[2] + reset * from_h[2]);
  return {candidate + update * (h - candidate)};
}

Tensors recurrent_composed(const Tensors& in, const RecurrentOptions& options) {
  const RecurrentParameters w{in[3], in[4], in[5], in[6], in[7], in[8], in[9]};
  const int64_t hidden = w.weight_hh.size(1);
  const Tensors state = state_or_zeros(in[1], in[2], in[0].size(1), hidden, hidden, options.cell, in[0].dtype());
  return recurrent_loop(in[0], state, options, [&](const Tensor& p, const Tensors& now, int64_t) {
    return recurrent_step(p, now[0], now[now.size() - 1], w, options);
  });
}

}  // namespace tapegrad
