// What a step does to one row, for each cell. All pointers are to the row's own values; `a` and the gates
// share memory: the nonlinearity is applied in place.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/map.h"
#include "kernels/math.h"
#include "kernels/recurrent.h"

namespace tapegrad::kernels::rows {

using math::sigmoid;
using math::tanh;

// ---- a from p and r
// ----------------------------------------------------------------------------------------------

/// The moments of n summed inputs (one group with one mean and variance). All rows of a step are measured
/// before any is used: the sums of one row take a chain of dependent additions, which run beside those of the
/// next.
template <class T>
inline void measure_inputs(const Sequence<T>& s, int64_t n, const T* p, T* r, RowNorm<T>* norms) {
  if (s.norm == CellNorm::none) return;
  if (s.norm == CellNorm::separate) {
    norms[0] = measure_row(p, n, s.eps, s.centred);
  } else {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) r[j] += p[j];  // r holds the sum from here on, for backward too
  }
  norms[1] = measure_row(static_cast<const T*>(r), n, s.eps, s.centred);
}

/// a = the summed and normalized inputs.
template <class T>
inline void summed_inputs(const Sequence<T>& s, int64_t n, const T* p, const T* r, const RowNorm<T>* norms,
                          T* a) {
  const T *bias = s.bias, *gain_p = s.gain_p, *gain_r = s.gain_r;
  switch (s.norm) {
    case CellNorm::none:
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) a[j] = p[j] + r[j] + bias[j];
      return;
    case CellNorm::separate: {
      const RowNorm<T> norm_p = norms[0], norm_r = norms[1];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) a[j] = norm_p(p[j]) * gain_p[j] + norm_r(r[j]) * gain_r[j] + bias[j];
      return;
    }
    case CellNorm::sum: {
      const RowNorm<T> norm_r = norms[1];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) a[j] = norm_r(r[j]) * gain_r[j] + bias[j];
    }
  }
}

/// Sums over the rows of a step, in T; the block adds them up in float64.
template <class T>
struct RowSums {
  T *gain_p, *gain_r, *bias, *bias_r, *gain_c, *bias_c;
};

/// N(x) gain + ... backward: dx from da, with the sums for the gain.
template <class T>
inline void norm_backward(int64_t n, const T* x, const T* da, const T* gain, RowNorm<T> norm, bool centred,
                          T* dx, T* dgain) {
  const RowNormBackward<T> backward = measure_row_backward(x, da, gain, n, norm, centred);
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    const T xhat = norm(x[j]), dy = da[j];
    dgain[j] += dy * xhat;
    dx[j] = backward(dy * gain[j], xhat);
  }
}

/// dp and dr from da, which without a norm is the memory of dr.
template <class T>
inline void summed_inputs_backward(const Sequence<T>& s, int64_t n, const T* p, const T* r,
                                   const RowNorm<T>* norms, const T* da, T* dp, T* dr, RowSums<T> sums) {
  T* dbias = sums.bias;
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) dbias[j] += da[j];
  if (s.norm != CellNorm::none) norm_backward(n, r, da, s.gain_r, norms[1], s.centred, dr, sums.gain_r);
  if (s.norm == CellNorm::separate)
    norm_backward(n, p, da, s.gain_p, norms[0], s.centred, dp, sums.gain_p);
  else
    std::copy_n(dr, n, dp);  // p and r were added
}

// ---- rnn: h = tanh(a) or relu(a)
// ---------------------------------------------------------------------------------

template <class T>
inline void rnn_forward(const Sequence<T>& s, const T* a, T* h) {
  const int64_t n = s.hidden;
  if (s.cell == Cell::rnn_tanh) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) h[j] = tanh(a[j]);
  } else {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) h[j] = a[j] < 0 ? T(0) : a[j];  // NaN stays
  }
}

template <class T>
inline void rnn_backward(const Sequence<T>& s, const T* h, const T* dh, T* da) {
  const int64_t n = s.hidden;
  if (s.cell == Cell::rnn_tanh) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) da[j] = dh[j] * (1 - h[j] * h[j]);
  } else {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) da[j] = h[j] > 0 ? dh[j] : T(0);
  }
}

// ---- lstm
// --------------------------------------------------------------------------------------------------------

/// From a = (i, f, g, o) before their nonlinearity: i, f, g in place, and c.
template <class T>
inline void lstm_cell(const Sequence<T>& s, T* gates, const T* c_before, T* c) {
  const int64_t n = s.hidden;
  T *i = gates, *f = gates + n, *g = gates + 2 * n;
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    i[j] = sigmoid(i[j]);
    f[j] = sigmoid(f[j]);
    g[j] = tanh(g[j]);
    c[j] = f[j] * c_before[j] + i[j] * g[j];
  }
}

/// o in place, and h.
template <class T>
inline void lstm_output(const Sequence<T>& s, T* gates, const T* c, const RowNorm<T>* norm_c, T* h) {
  const int64_t n = s.hidden;
  T* o = gates + 3 * n;
  if (s.norm == CellNorm::none) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      o[j] = sigmoid(o[j]);
      h[j] = o[j] * tanh(c[j]);
    }
    return;
  }
  const RowNorm<T> norm = *norm_c;
  const T *gain = s.gain_c, *bias = s.bias_c;
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    o[j] = sigmoid(o[j]);
    h[j] = o[j] * tanh(norm(c[j]) * gain[j] + bias[j]);
  }
}

/// da from dh and dc, the gradients of this step's h and c; dc becomes that of the step before. u is room for
/// H.
template <class T>
inline void lstm_backward(const Sequence<T>& s, const T* gates, const T* c_before, const T* c,
                          const RowNorm<T>* norm_c, const T* dh, T* dc, T* da, T* u, RowSums<T> sums) {
  const int64_t n = s.hidden;
  const T *i = gates, *f = gates + n, *g = gates + 2 * n, *o = gates + 3 * n;
  T *da_i = da, *da_f = da + n, *da_g = da + 2 * n, *da_o = da + 3 * n;
  if (s.norm == CellNorm::none) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      const T t = tanh(c[j]);
      da_o[j] = dh[j] * t * o[j] * (1 - o[j]);
      dc[j] += dh[j] * o[j] * (1 - t * t);
    }
  } else {
    const RowNorm<T> norm = *norm_c;
    const T *gain = s.gain_c, *bias = s.bias_c;
    T *dgain = sums.gain_c, *dbias = sums.bias_c;
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      const T chat = norm(c[j]);
      const T t = tanh(chat * gain[j] + bias[j]);
      da_o[j] = dh[j] * t * o[j] * (1 - o[j]);
      u[j] = dh[j] * o[j] * (1 - t * t);
      dgain[j] += u[j] * chat;
      dbias[j] += u[j];
    }
    const RowNormBackward<T> backward =
        measure_row_backward(c, static_cast<const T*>(u), gain, n, norm, s.centred);
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) dc[j] += backward(u[j] * gain[j], norm(c[j]));
  }
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    da_i[j] = dc[j] * g[j] * i[j] * (1 - i[j]);
    da_f[j] = dc[j] * c_before[j] * f[j] * (1 - f[j]);
    da_g[j] = dc[j] * i[j] * (1 - g[j] * g[j]);
    dc[j] *= f[j];
  }
}

// ---- gru
// ---------------------------------------------------------------------------------------------------------

/// y = N(x) gain + bias over the 2H values of r and z and the H of n apart; without a norm y = x + bias.
template <class T>
inline void gru_part(const Sequence<T>& s, const T* x, const T* gain, const T* bias, RowNorm<T>* norms,
                     T* y) {
  const int64_t n = s.hidden;
  if (s.norm == CellNorm::none) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < 3 * n; ++j) y[j] = x[j] + bias[j];
    return;
  }
  const RowNorm<T> gates = norms[0] = measure_row(x, 2 * n, s.eps, s.centred);
  const RowNorm<T> candidate = norms[1] = measure_row(x + 2 * n, n, s.eps, s.centred);
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < 2 * n; ++j) y[j] = gates(x[j]) * gain[j] + bias[j];
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 2 * n; j < 3 * n; ++j) y[j] = candidate(x[j]) * gain[j] + bias[j];
}

/// gates = (r, z, n) and h from p and q; room for 6H.
template <class T>
inline void gru_forward(const Sequence<T>& s, const T* p, const T* q, RowNorm<T>* norms, const T* h_before,
                        T* gates, T* h, T* room) {
  const int64_t n = s.hidden;
  T *from_p = room, *from_q = room + 3 * n;
  gru_part(s, p, s.gain_p, s.bias, norms, from_p);
  gru_part(s, q, s.gain_r, s.bias_r, norms + 2, from_q);
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < 2 * n; ++j) gates[j] = sigmoid(from_p[j] + from_q[j]);
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    const T candidate = tanh(from_p[2 * n + j] + gates[j] * from_q[2 * n + j]);
    gates[2 * n + j] = candidate;
    h[j] = candidate + gates[n + j] * (h_before[j] - candidate);
  }
}

template <class T>
inline void gru_part_backward(const Sequence<T>& s, const T* x, const T* gain, const RowNorm<T>* norms,
                              const T* dy, T* dx, T* dgain, T* dbias) {
  const int64_t n = s.hidden;
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < 3 * n; ++j) dbias[j] += dy[j];
  if (s.norm == CellNorm::none) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < 3 * n; ++j) dx[j] = dy[j];
    return;
  }
  norm_backward(2 * n, x, dy, gain, norms[0], s.centred, dx, dgain);
  norm_backward(n, x + 2 * n, dy + 2 * n, gain + 2 * n, norms[1], s.centred, dx + 2 * n, dgain + 2 * n);
}

/// dp and dq from dh; dh becomes the part of the state before that does not go through q. room for 6H.
template <class T>
inline void gru_backward(const Sequence<T>& s, const T* p, const T* q, const RowNorm<T>* norms,
                         const T* gates, const T* h_before, T* dh, T* dp, T* dq, T* room, RowSums<T> sums) {
  const int64_t n = s.hidden;
  const T *reset = gates, *update = gates + n, *candidate = gates + 2 * n;
  T *d_p = room, *d_q = room + 3 * n;
  const T* q_n = q + 2 * n;
  const T* bias_n = s.bias_r + 2 * n;
  const T* gain_n = s.norm == CellNorm::none ? nullptr : s.gain_r + 2 * n;
  const RowNorm<T> norm_n = gain_n ? norms[3] : RowNorm<T>{0, 0, 1};
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) {
    const T y = norm_n(q_n[j]) * (gain_n ? gain_n[j] : T(1)) + bias_n[j];  // what the reset gate multiplied
    const T d_candidate = dh[j] * (1 - update[j]) * (1 - candidate[j] * candidate[j]);
    const T d_reset = d_candidate * y * reset[j] * (1 - reset[j]);
    const T d_update = dh[j] * (h_before[j] - candidate[j]) * update[j] * (1 - update[j]);
    d_p[j] = d_q[j] = d_reset;
    d_p[n + j] = d_q[n + j] = d_update;
    d_p[2 * n + j] = d_candidate;
    d_q[2 * n + j] = d_candidate * reset[j];
    dh[j] *= update[j];
  }
  gru_part_backward(s, p, s.gain_p, norms, static_cast<const T*>(d_p), dp, sums.gain_p, sums.bias);
  gru_part_backward(s, q, s.gain_r, norms + 2, static_cast<const T*>(d_q), dq, sums.gain_r, sums.bias_r);
}

}  // namespace tapegrad::kernels::rows
