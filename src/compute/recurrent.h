// A recurrent layer over a whole sequence, and its gradients.
#pragma once
#include <tapegrad/gradients.h>
#include <tapegrad/recurrent_options.h>

namespace tapegrad::compute {

/// The kernel of recurrent(), for fused(). `in` are projected [T, B, GH], h0 and c0 [B, H], weight_hh [GH, H],
/// bias, bias_hh, gain_ih and gain_hh [GH], gain_c and bias_c [H]; all but projected and weight_hh may be
/// undefined. The shapes and the lengths were checked.
struct Recurrent {
  RecurrentOptions options;

  /// {output [T, B, H], last h [B, H]} and, for lstm, last c. Keeps the states, the gates after their
  /// nonlinearity, and with a norm q = h W_hh^T and the moments of each row.
  Tensors forward(const Tensors& in, Tensors* kept) const;
  /// One gradient for each of `in`. Where it will not be called again it may write over the gates.
  Gradients backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const;
};

}  // namespace tapegrad::compute
