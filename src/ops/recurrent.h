// What the fused and the composed form of recurrent() share: the order of the inputs on the tape.
#pragma once
#include <tapegrad/ops/recurrent.h>

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

/// The loop over steps, on recurrent_inputs().
Gradients recurrent_composed(const Gradients& inputs, const RecurrentOptions& options);

}  // namespace tapegrad
