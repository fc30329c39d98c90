// A recurrent layer over a whole sequence as one operation. nn::RNN, nn::LSTM and nn::GRU are made of it.
#pragma once
#include <tapegrad/record.h>
#include <tapegrad/recurrent_options.h>

namespace tapegrad {

/// The parameters of recurrent(); G is the number of gates (1, 4 or 3), H the hidden size. Undefined where
/// not used.
struct RecurrentParameters {
  Tensor weight_hh;       ///< [GH, H]
  Tensor bias;            ///< [GH]: everything that is added to the summed inputs; gru: to those from x
  Tensor bias_hh;         ///< [GH], gru without Placement::sum: added to those from h, which r multiplies
  Tensor gain_ih;         ///< [GH], Placement::separate: gain of N(W_ih x)
  Tensor gain_hh;         ///< [GH]: gain of N(W_hh h), or of N(W_ih x + W_hh h)
  Tensor gain_c, bias_c;  ///< [H], lstm: gain and shift of N(c)
};

/// The layer on `projected` = x W_ih^T, for all steps at once. Returns {output, last h} or, for lstm,
/// {output, last h, last c}. With p_t the projected input, q_t = h_{t-1} W_hh^T, and N the norm (gains and
/// biases left out):
///
///   rnn   h = tanh(a) or relu(a)         a = p + q,  N(p + q)  or  N(p) + N(q)
///   lstm  (i, f, g, o) = a               c' = s(f) c + s(i) tanh(g)      h = s(o) tanh(N(c'))
///   gru   r = s(p_r + q_r)  z = s(p_z + q_z)  n = tanh(p_n + r q_n)      h = (1 - z) n + z h
///         or  r, z = s(N(p + q))  n = tanh(N(p_n + r q_n)),  whose 2H and H values are normalized apart
///
/// **Shape**: projected [T, B, GH], h0 and c0 [B, H] or undefined (zeros); output [T, B, H].
/// **lengths**: step t of row b counts if t < lengths[b]; else the state stays, the output is 0, and neither
/// value nor gradient depends on what `projected` holds there, be it NaN.
/// **Throws** ShapeError, DtypeError, IndexError (lengths), ValueError (Norm::batch, which it does not have;
/// bias_hh for a gru with Placement::sum).
/// **Gradient**: to all tensors. **Numerics**: src/kernels/norm/row_norm.h; equal to the composed form to 1e-11 in
/// float64.
/// **Source**: Ba, Kiros, Hinton 2016, "Layer Normalization", arXiv:1607.06450, eq. 4 and appendix.
Tensors recurrent(const Tensor& projected, const Tensor& h0, const Tensor& c0, const RecurrentParameters& parameters,
                  const RecurrentOptions& options);

/// One step of the same, made of simple operations: `projected` [B, GH], h and c [B, H]. Returns {h} or {h,
/// c}.
Tensors recurrent_step(const Tensor& projected, const Tensor& h, const Tensor& c, const RecurrentParameters& parameters,
                       const RecurrentOptions& options);

}  // namespace tapegrad
