// What the fused and the composed form of recurrent() share: the order of the inputs on the tape.
#pragma once
#include <tapegrad/ops/recurrent.h>

#include <functional>

namespace tapegrad {

/// projected, h0, c0, then the parameters in the order of RecurrentParameters.
inline Gradients recurrent_inputs(const Tensor& p, const Tensor& h0, const Tensor& c0,
                                  const RecurrentParameters& w) {
  return {p, h0, c0, w.weight_hh, w.bias, w.bias_hh, w.gain_ih, w.gain_hh, w.gain_c, w.bias_c};
}
inline RecurrentParameters recurrent_parameters(const Gradients& in) {
  return {.weight_hh = in[3],
          .bias = in[4],
          .bias_hh = in[5],
          .gain_ih = in[6],
          .gain_hh = in[7],
          .gain_c = in[8],
          .bias_c = in[9]};
}

/// What a step does with q = h W_hh^T, or with q undefined and the sum of both in `projected`. `norm_c`
/// stands in place of lstm's N(c) where it is given: for norms with statistics that recurrent() does not
/// have.
Gradients recurrent_update(const Tensor& projected, const Tensor& q, const Tensor& h, const Tensor& c,
                           const RecurrentParameters& parameters, const RecurrentOptions& options,
                           const std::function<Tensor(const Tensor&)>& norm_c = {});

/// The loop over steps, on recurrent_inputs().
Gradients recurrent_composed(const Gradients& inputs, const RecurrentOptions& options);

}  // namespace tapegrad
