// What a step does to some rows of the batch, for each cell. `a` and the gates share memory, and in backward
// so do their gradients da and what becomes of them, dp and dq: each is computed in place.
//
// The work goes in passes over the rows: all are measured, then all are normalized. A row's moments come late,
// at the end of a chain of additions, a square root and a division, and meanwhile the next row's are under way.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/loops/map.h"
#include "kernels/recurrent/recurrent.h"
#include "kernels/vector/math.h"

namespace tapegrad::kernels::rows {

using math::sigmoid;
using math::tanh;

/// Where the values of one step lie, from the first row of a block on.
template <class T>
struct Step {
  MatrixRows<const T> p, h_before, c_before;
  MatrixRows<T> q, gates, h, c;
  MatrixRows<RowNorm<T>> norms;
  int64_t next;  // from a row of p, q and gates to the same of the step that comes next; 0 if none comes
};

/// The same for gradients. dh and dc are carried from step to step.
template <class T>
struct StepGradients {
  MatrixRows<T> dp, dq, dh, dc;
};

/// Asks for n numbers that the next step reads, while this one has work to do: rows of one step lie side by
/// side, but from step to step the loop jumps, and the hardware does not see that coming.
template <class T>
inline void prefetch(const T* from, int64_t n) {
  for (int64_t i = 0; i < n; i += int64_t(64 / sizeof(T))) __builtin_prefetch(from + i, 0, 2);
}

/// Sums over rows and some steps, in T; the block adds them up in float64.
template <class T>
struct RowSums {
  T *bias, *bias_hh, *gain_ih, *gain_hh, *gain_c, *bias_c;
};

// ---- the summed inputs: n columns of a, with one mean and variance. The norms of p and q are norms[0] and [1].

template <class I, class T>
inline void measure_inputs(const Sequence<T>& s, const RowList& list, int64_t n, MatrixRows<const T> p, MatrixRows<T> q,
                           MatrixRows<RowNorm<T>> norms) {
  if (!s.normed()) return;
  if (s.separate()) measure_rows<I, T>(list, n, p, s.row_norm(), norms);
  if (s.sum())  // q holds the sum from here on, for backward too
    for (int64_t row : list) {
      const T* from = p[row];
      T* to = q[row];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) to[j] += from[j];
    }
  measure_rows<I, T>(list, n, q, s.row_norm(), norms.from(1));
}

/// a[j] = the summed inputs of one row with function f over them, j < n.
template <class T, class F>
inline void summed_inputs(const Sequence<T>& s, int64_t n, const T* p, const T* q, const RowNorm<T>* norms, T* a, F f) {
  const T *bias = s.bias, *gain_ih = s.gain_ih, *gain_hh = s.gain_hh;
  if (!s.normed()) {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) a[j] = f(p[j] + q[j] + bias[j], j);
    return;
  }
  const RowNorm<T> norm_q = norms[1];
  if (s.separate()) {
    const RowNorm<T> norm_p = norms[0];
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) a[j] = f(norm_p(p[j]) * gain_ih[j] + norm_q(q[j]) * gain_hh[j] + bias[j], j);
  } else {
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) a[j] = f(norm_q(q[j]) * gain_hh[j] + bias[j], j);
  }
}

/// One function a loop: the constants of sigmoid and those of tanh fill the registers of AVX2.
template <class T>
inline void sigmoid_in_place(int64_t n, T* a) {
  TAPEGRAD_INDEPENDENT
  for (int64_t j = 0; j < n; ++j) a[j] = sigmoid(a[j]);
}

/// dp and dq from da of n columns, which is in dq.
template <class I, class T>
inline void summed_inputs_backward(const Sequence<T>& s, const RowList& list, int64_t n, const Step<T>& at,
                                   const StepGradients<T>& to, RowSums<T> sums) {
  add_rows<T>(list, n, to.dq, sums.bias);
  if (s.separate())
    norm_rows_backward<I, T>(list, n, {at.p, at.norms, s.gain_ih, sums.gain_ih}, to.dq, to.dp, s.row_norm());
  if (s.normed())
    norm_rows_backward<I, T>(list, n, {at.q, at.norms.from(1), s.gain_hh, sums.gain_hh}, to.dq, to.dq, s.row_norm());
  if (s.separate()) return;
  for (int64_t row : list) std::copy_n(to.dq[row], n, to.dp[row]);  // p and q were added
}

// ---- rnn: h = tanh(a) or relu(a)

template <class I, class T>
inline void rnn_forward(const Sequence<T>& s, const RowList& list, const Step<T>& at) {
  const int64_t n = s.hidden;
  measure_inputs<I>(s, list, n, at.p, at.q, at.norms);
  for (int64_t row : list) {
    const T *p = at.p[row], *q = at.q[row];
    if (s.cell == RecurrentCell::rnn_tanh)
      summed_inputs(s, n, p, q, at.norms[row], at.h[row], [](T a, int64_t) { return tanh(a); });
    else
      summed_inputs(s, n, p, q, at.norms[row], at.h[row], [](T a, int64_t) { return a < 0 ? T(0) : a; });  // NaN stays
  }
}

template <class I, class T>
inline void rnn_backward(const Sequence<T>& s, const RowList& list, const Step<T>& at, const StepGradients<T>& to,
                         RowSums<T> sums) {
  const int64_t n = s.hidden;
  for (int64_t row : list) {
    const T *h = at.h[row], *dh = to.dh[row];
    T* da = to.dq[row];
    if (s.cell == RecurrentCell::rnn_tanh) {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) da[j] = dh[j] * (1 - h[j] * h[j]);
    } else {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) da[j] = h[j] > 0 ? dh[j] : T(0);
    }
  }
  summed_inputs_backward<I>(s, list, n, at, to, sums);
  for (int64_t row : list) std::fill_n(to.dh[row], n, T(0));  // all of it went through q
}

// ---- lstm: i, f, o = sigmoid(a_i, a_f, a_o), g = tanh(a_g);  c = f c' + i g;  h = o tanh(N(c) gain + bias)

template <class I, class T>
inline void lstm_forward(const Sequence<T>& s, const RowList& list, const Step<T>& at) {
  const int64_t n = s.hidden;
  measure_inputs<I>(s, list, 4 * n, at.p, at.q, at.norms);
  for (int64_t row : list) {
    T *i = at.gates[row], *f = i + n, *g = i + 2 * n, *c = at.c[row];
    const T* c_before = at.c_before[row];
    if (at.next) prefetch(at.p[row] + at.next, 4 * n);
    summed_inputs(s, 4 * n, at.p[row], static_cast<const T*>(at.q[row]), at.norms[row], i,
                  [](T a, int64_t) { return a; });
    sigmoid_in_place(2 * n, i);
    sigmoid_in_place(n, i + 3 * n);
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      g[j] = tanh(g[j]);
      c[j] = f[j] * c_before[j] + i[j] * g[j];
    }
  }
  if (s.normed()) measure_rows<I, T>(list, n, at.c, s.row_norm(), at.norms.from(2));
  for (int64_t row : list) {
    const T *c = at.c[row], *o = at.gates[row] + 3 * n;
    T* h = at.h[row];
    if (!s.normed()) {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) h[j] = o[j] * tanh(c[j]);
      continue;
    }
    const RowNorm<T> norm = at.norms[row][2];
    const T *gain = s.gain_c, *bias = s.bias_c;
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) h[j] = o[j] * tanh(norm(c[j]) * gain[j] + bias[j]);
  }
}

/// dc, the gradient of c, becomes that of the step before.
template <class I, class T>
inline void lstm_backward(const Sequence<T>& s, const RowList& list, const Step<T>& at, const StepGradients<T>& to,
                          RowSums<T> sums) {
  const int64_t n = s.hidden;
  for (int64_t row : list) {
    const T *o = at.gates[row] + 3 * n, *c = at.c[row];
    T *da_o = to.dq[row] + 3 * n, *dh = to.dh[row], *dc = to.dc[row];
    if (at.next && s.normed()) prefetch(static_cast<const T*>(at.q[row]) + at.next, 4 * n);
    if (!s.normed()) {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) {
        const T t = tanh(c[j]);
        da_o[j] = dh[j] * t * o[j] * (1 - o[j]);
        dc[j] += dh[j] * o[j] * (1 - t * t);
      }
    } else {  // dh becomes the gradient of N(c) gain + bias
      const RowNorm<T> norm = at.norms[row][2];
      const T *gain = s.gain_c, *bias = s.bias_c;
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) {
        const T t = tanh(norm(c[j]) * gain[j] + bias[j]);
        da_o[j] = dh[j] * t * o[j] * (1 - o[j]);
        dh[j] *= o[j] * (1 - t * t);
      }
    }
  }
  if (s.normed()) {
    add_rows<T>(list, n, to.dh, sums.bias_c);
    norm_rows_backward<I, T>(list, n, {at.c, at.norms.from(2), s.gain_c, sums.gain_c}, to.dh, to.dh, s.row_norm());
    for (int64_t row : list) {
      const T* dh = to.dh[row];
      T* dc = to.dc[row];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) dc[j] += dh[j];
    }
  }
  for (int64_t row : list) {
    const T *i = at.gates[row], *f = i + n, *g = i + 2 * n, *c_before = at.c_before[row];
    T *da_i = to.dq[row], *da_f = da_i + n, *da_g = da_i + 2 * n, *dc = to.dc[row];
    if (at.next && s.separate()) prefetch(at.p[row] + at.next, 4 * n);
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      da_i[j] = dc[j] * g[j] * i[j] * (1 - i[j]);
      da_f[j] = dc[j] * c_before[j] * f[j] * (1 - f[j]);
      da_g[j] = dc[j] * i[j] * (1 - g[j] * g[j]);
      dc[j] *= f[j];
    }
  }
  summed_inputs_backward<I>(s, list, 4 * n, at, to, sums);
  for (int64_t row : list) std::fill_n(to.dh[row], n, T(0));  // all of it went through q
}

// ---- gru: r, z = sigmoid(a_r, a_z);  h = (1 - z) n + z h';  the candidate n = tanh(a_n), where
//   none       a_n = p + bias + r (q + bias_hh)
//   separate   a_n = N(p) gain_ih + bias + r (N(q) gain_hh + bias_hh)
//   sum        a_n = N(p + r q) gain_hh + bias
// The norms of the gates' 2H values of p and q are norms[0] and [1], those of the candidate's H [2] and [3].

template <class I, class T>
inline void gru_forward(const Sequence<T>& s, const RowList& list, const Step<T>& at) {
  const int64_t n = s.hidden, last = 2 * n;  // the candidate's columns begin at `last`
  const T *bias = s.bias + last, *bias_hh = s.bias_hh + last, *all_bias_hh = s.bias_hh;
  measure_inputs<I>(s, list, last, at.p, at.q, at.norms);
  if (s.separate()) {
    measure_rows<I, T>(list, n, at.p.from(last), s.row_norm(), at.norms.from(2));
    measure_rows<I, T>(list, n, at.q.from(last), s.row_norm(), at.norms.from(3));
  }
  for (int64_t row : list) {
    const T *p = at.p[row] + last, *q = at.q[row] + last, *h_before = at.h_before[row];
    T *reset = at.gates[row], *update = reset + n, *candidate = reset + last, *h = at.h[row];
    if (at.next) prefetch(at.p[row] + at.next, 3 * n);
    summed_inputs(s, last, at.p[row], static_cast<const T*>(at.q[row]), at.norms[row], reset,
                  [all_bias_hh](T a, int64_t j) { return sigmoid(a + all_bias_hh[j]); });
    if (s.sum()) {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) candidate[j] = p[j] + reset[j] * q[j];
    } else if (s.separate()) {
      const RowNorm<T> norm_p = at.norms[row][2], norm_q = at.norms[row][3];
      const T *gain_ih = s.gain_ih + last, *gain_hh = s.gain_hh + last;
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) {
        const T value = tanh(norm_p(p[j]) * gain_ih[j] + bias[j] + reset[j] * (norm_q(q[j]) * gain_hh[j] + bias_hh[j]));
        candidate[j] = value;
        h[j] = value + update[j] * (h_before[j] - value);
      }
    } else {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) {
        const T value = tanh(p[j] + bias[j] + reset[j] * (q[j] + bias_hh[j]));
        candidate[j] = value;
        h[j] = value + update[j] * (h_before[j] - value);
      }
    }
  }
  if (!s.sum()) return;
  measure_rows<I, T>(list, n, at.gates.from(last), s.row_norm(), at.norms.from(3));
  for (int64_t row : list) {
    const T *gain = s.gain_hh + last, *h_before = at.h_before[row], *update = at.gates[row] + n;
    T *candidate = at.gates[row] + last, *h = at.h[row];
    const RowNorm<T> norm = at.norms[row][3];
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      const T value = tanh(norm(candidate[j]) * gain[j] + bias[j]);
      candidate[j] = value;
      h[j] = value + update[j] * (h_before[j] - value);
    }
  }
}

/// dh becomes the part of the gradient of h' that does not go through q.
template <class I, class T>
inline void gru_backward(const Sequence<T>& s, const RowList& list, const Step<T>& at, const StepGradients<T>& to,
                         RowSums<T> sums) {
  const int64_t n = s.hidden, last = 2 * n;
  const MatrixRows<T> dp = to.dp.from(last), dq_n = to.dq.from(last);
  const T *gain = s.gain_hh ? s.gain_hh + last : nullptr, *bias = s.bias_hh + last;
  for (int64_t row : list) {  // of a_n, in dq_n, and of the update gate
    const T *dh = to.dh[row], *h_before = at.h_before[row];
    const T *update = at.gates[row] + n, *candidate = update + n;
    T *da = dq_n[row], *d_update = to.dq[row] + n;
    if (at.next) prefetch(static_cast<const T*>(at.q[row]) + at.next, 3 * n);
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      da[j] = dh[j] * (1 - update[j]) * (1 - candidate[j] * candidate[j]);
      d_update[j] = dh[j] * (h_before[j] - candidate[j]) * update[j] * (1 - update[j]);
    }
  }
  add_rows<T>(list, n, dq_n, sums.bias + last);
  if (s.sum()) {  // of a_n's norm, whose input is made once more, in dp
    for (int64_t row : list) {
      const T *p = at.p[row] + last, *q = at.q[row] + last, *reset = at.gates[row];
      T* value = dp[row];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) value[j] = p[j] + reset[j] * q[j];
    }
    norm_rows_backward<I, T>(list, n, {dp, at.norms.from(3), s.gain_hh + last, sums.gain_hh + last}, dq_n, dq_n,
                             s.row_norm());
  }
  for (int64_t row : list) {
    const T *q = at.q[row] + last, *reset = at.gates[row], *update = reset + n;
    T *d_reset = to.dq[row], *dq = dq_n[row], *dh = to.dh[row], *d = dp[row];
    if (at.next && s.separate()) prefetch(at.p[row] + at.next, 3 * n);
    const auto product_backward = [=](auto what_reset_multiplied) {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) {
        const T da = dq[j];
        d[j] = da;
        d_reset[j] = da * what_reset_multiplied(j) * reset[j] * (1 - reset[j]);
        dq[j] = da * reset[j];
        dh[j] *= update[j];
      }
    };
    if (s.separate()) {
      const RowNorm<T> norm = at.norms[row][3];
      product_backward([=](int64_t j) { return norm(q[j]) * gain[j] + bias[j]; });
    } else if (s.sum()) {
      product_backward([=](int64_t j) { return q[j]; });
    } else {
      product_backward([=](int64_t j) { return q[j] + bias[j]; });
    }
  }
  if (!s.sum()) add_rows<T>(list, 3 * n, to.dq, sums.bias_hh);
  if (s.separate()) {
    norm_rows_backward<I, T>(list, n, {at.p.from(last), at.norms.from(2), s.gain_ih + last, sums.gain_ih + last}, dp,
                             dp, s.row_norm());
    norm_rows_backward<I, T>(list, n, {at.q.from(last), at.norms.from(3), gain, sums.gain_hh + last}, dq_n, dq_n,
                             s.row_norm());
  }
  summed_inputs_backward<I>(s, list, last, at, to, sums);
}

}  // namespace tapegrad::kernels::rows
