// What the fused and the composed form of recurrent() share, the order of the inputs on the tape, and what the
// composed form shares with the modules: the loop over time.
#pragma once
#include <functional>
#include <string_view>

#include <tapegrad/detail/scope.h>
#include <tapegrad/ops.h>

namespace tapegrad {

inline std::string_view norm_name(Norm norm) {
  constexpr std::string_view names[] = {"none", "layer", "rms", "batch"};
  return names[size_t(norm)];
}
inline std::string_view placement_name(Placement placement) { return placement == Placement::sum ? "sum" : "separate"; }

/// The state that a step goes on from, {h} or {h, c}: zeros where it is not given. h has `size` elements a row.
inline Tensors state_or_zeros(const Tensor& h, const Tensor& c, int64_t batch, int64_t size, int64_t hidden,
                              RecurrentCell cell, Dtype dtype) {
  Tensors state{h.defined() ? h : zeros({batch, size}, {.dtype = dtype})};
  if (cell == RecurrentCell::lstm) state.push_back(c.defined() ? c : zeros({batch, hidden}, {.dtype = dtype}));
  return state;
}

/// What a step does with q = h W_hh^T, or with q undefined and the sum of both in `projected`. `norm_c`
/// stands in place of lstm's N(c) where it is given: for norms with statistics that recurrent() does not
/// have.
Tensors recurrent_update(const Tensor& projected, const Tensor& q, const Tensors& state,
                         const RecurrentParameters& parameters, const RecurrentOptions& options,
                         const std::function<Tensor(const Tensor&)>& norm_c = {});

/// The loop over time: step(projected [B, GH], state, k) -> the next state, k counting the steps from 0 in the
/// order in which they run. Returns {output [T, B, size of h]}, then the last state.
template <class Step>
Tensors recurrent_loop(const Tensor& projected, Tensors state, const RecurrentOptions& options, Step step) {
  const int64_t steps = projected.size(0);
  const Tensors at = unbind(projected, 0);
  Tensors outputs;
  outputs.resize(size_t(steps));
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t t = options.reverse ? steps - 1 - k : k;
    const detail::StepScope scope(t);
    if (!options.lengths.defined()) {
      state = step(at[size_t(t)], state, k);
      outputs[size_t(t)] = state[0];
      continue;
    }
    const Tensor active = gt(options.lengths, double(t)).unsqueeze(1);  // [B, 1]
    // Padding may hold NaN, and 0 * NaN is NaN: it is replaced before anything is computed from it.
    const Tensors next = step(where(active, at[size_t(t)], 0.0), state, k);
    outputs[size_t(t)] = where(active, next[0], 0.0);
    for (size_t part = 0; part < state.size(); ++part) state[part] = where(active, next[part], state[part]);
  }
  const Tensor& h = state[0];
  Tensors out{steps > 0 ? stack(outputs, 0) : zeros({0, h.size(0), h.size(1)}, {.dtype = h.dtype()})};
  for (const Tensor& part : state) out.push_back(part);
  return out;
}

/// recurrent() as that loop. `inputs`: projected, h0, c0, then the parameters in the order of RecurrentParameters, and the lengths.
Tensors recurrent_composed(const Tensors& inputs, const RecurrentOptions& options);

}  // namespace tapegrad
