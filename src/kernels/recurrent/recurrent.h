// A recurrent layer over a whole sequence, forward and backward, for a block of rows of the batch.
//
// The caller has projected the input of all steps (p = x W_ih^T, one product). A step is then one product
// with the packed recurrent weights, q = h W_hh^T, and one pass over rows that are still in cache:
// normalization, gates, cell, the cell's norm. Rows of the batch do not depend on each other, so threads take
// blocks of rows through the whole sequence and meet only at its end.
//
//   normalization   none       a = p + q + bias
//                   separate   a = N(p) gain_ih + N(q) gain_hh + bias       (Ba et al. 2016, appendix)
//                   sum        a = N(p + q) gain_hh + bias                 (equation 4)
//   rnn    h = act(a)
//   lstm   i, f, o = sigmoid(a_i, a_f, a_o), g = tanh(a_g)
//          c = f c' + i g,  h = o tanh(N(c) gain_c + bias_c)
//   gru    r, z = sigmoid(a_r, a_z),  n = tanh(a_n),  h = (1 - z) n + z h'
//          where the reset gate stands in a_n is told in recurrent_rows.h
//
// A row whose sequence has ended (lengths) keeps its state, puts out 0, and its values of p are never read.
#pragma once
#include <tapegrad/recurrent_cell.h>

#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "kernels/norm/row_norm.h"

namespace tapegrad::kernels {

/// Sizes, parameters and what forward leaves for backward. G = gate_count; arrays are [T, B, ...] in order of
/// time.
template <class T>
struct Sequence {
  RecurrentCell cell;
  Norm norm;  // none, layer or rms
  Placement placement;
  double eps;
  bool reverse;  // from the last step to the first
  int64_t steps, batch, hidden;
  const int64_t* lengths;  // [B], or null: all sequences have `steps` steps

  const T* p;                  // [T, B, GH]
  PackedB<T> weight;           // of q = h W_hh^T
  const T *gain_ih, *gain_hh;  // [GH]; null without normalization
  const T* bias;               // [GH], all biases added up; gru: of p only
  const T* bias_hh;            // gru: [GH] of q; else null
  const T *gain_c, *bias_c;    // lstm with normalization: [H]

  T* states;          // [T + 1, B, H]: h, with the initial one at the end it starts from
  T* cells;           // lstm: the same for c
  T* output;          // [T, B, H] with lengths; else null, the states are the output
  T* gates;           // lstm, gru: [T, B, GH], after their nonlinearity
  T* q;               // [T, B, GH], kept for norms and gru; else null
  RowNorm<T>* norms;  // [T, B, norms_per_row]
  T* workspace;       // recurrent_workspace() numbers a block

  bool normed() const { return norm != Norm::none; }
  bool separate() const { return normed() && placement == Placement::separate; }
  bool sum() const { return normed() && placement == Placement::sum; }
  RowNormOptions row_norm() const { return {norm == Norm::layer, eps}; }
};
inline int64_t norms_per_row(RecurrentCell cell) {
  return cell == RecurrentCell::lstm ? 3 : cell == RecurrentCell::gru ? 4 : 2;
}

/// Rows of the batch that one thread takes through the sequence; fixed by the shape. Small work stays in one
/// block, on one thread; where the weights do not fit a core's cache, more rows share one pass over them.
template <class T>
int64_t recurrent_block(const Sequence<T>& s);
/// How many numbers of workspace a block needs.
template <class T>
int64_t recurrent_workspace(const Sequence<T>& s);

/// The rows [row_begin, row_end), which are one block.
template <class T>
void recurrent_forward(const Sequence<T>& s, int64_t row_begin, int64_t row_end);

template <class T>
struct SequenceGradients {
  PackedB<T> weight;  // of dh = dq W_hh
  const T* doutput;   // [T, B, H] or null
  T* dstate;          // [B, H]: in, the gradient of the last state; out, of the initial one
  T* dcell;           // lstm: the same for c
  T* dp;              // [T, B, GH]
  // Sums over steps and rows, one buffer a block of rows:
  T* dweight;    // [GH, H] of W_hh, or null where it is not wanted
  double* sums;  // of bias, bias_hh, gain_ih and gain_hh [GH], gain_c and bias_c [H], one after the other
};

template <class T>
void recurrent_backward(const Sequence<T>& s, const SequenceGradients<T>& g, int64_t row_begin, int64_t row_end);

}  // namespace tapegrad::kernels
