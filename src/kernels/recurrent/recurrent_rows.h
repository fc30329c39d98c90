// What a step does to some rows of the batch, for each cell. `a` and the gates share memory, and in backward
// so do their gradients da and what becomes of them, dp and dr: each is computed in place.
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
  Rows<const T> p, h_before, c_before;
  Rows<T> r, gates, h, c;
  Rows<RowNorm<T>> norms;
  int64_t next;  // from a row of p, r and gates to the same of the step that comes next; 0 if none comes
};

/// The same for gradients. dh and dc are carried from step to step.
template <class T>
struct StepGradients {
  Rows<T> dp, dr, dh, dc;
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
  T *gain_p, *gain_r, *bias, *bias_r, *gain_c, *bias_c;
};

// ---- the summed inputs: n columns of a, with one mean and variance. The norms of p and r are norms[0] and [1].

template <class T>
inline void measure_inputs(const Sequence<T>& s, const RowList& list, int64_t n, Rows<const T> p, Rows<T> r,
                           Rows<RowNorm<T>> norms) {
  if (s.norm == CellNorm::none) return;
  if (s.norm == CellNorm::separate) measure_rows(list, n, p, s.eps, s.centred, norms);
  if (s.norm == CellNorm::sum)  // r holds the sum from here on, for backward too
    for (int64_t row : list) {
      const T* from = p[row];
      T* to = r[row];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) to[j] += from[j];
    }
  measure_rows<T>(list, n, r, s.eps, s.centred, norms.from(1));
}

/// a[j] = the summed inputs of one row with function f over them, j < n.
template <class T, class F>
inline void summed_inputs(const Sequence<T>& s, int64_t n, const T* p, const T* r, const RowNorm<T>* norms,
                          T* a, F f) {
  const T *bias = s.bias, *gain_p = s.gain_p, *gain_r = s.gain_r;
  switch (s.norm) {
    case CellNorm::none:
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) a[j] = f(p[j] + r[j] + bias[j], j);
      return;
    case CellNorm::separate: {
      const RowNorm<T> norm_p = norms[0], norm_r = norms[1];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j)
        a[j] = f(norm_p(p[j]) * gain_p[j] + norm_r(r[j]) * gain_r[j] + bias[j], j);
      return;
    }
    case CellNorm::sum: {
      const RowNorm<T> norm_r = norms[1];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) a[j] = f(norm_r(r[j]) * gain_r[j] + bias[j], j);
    }
  }
}

/// dx of N(x) gain, in place of dy.
template <class T>
inline void norm_backward(const RowList& list, int64_t n, const NormInput<T>& input, Rows<T> dy,
                          bool centred) {
  norm_rows_backward<1, 1, T>(list, n, {input}, {dy}, centred, [=](int64_t row, const auto& backwards) {
    const RowNormBackward<T> backward = backwards[0];
    const T *x = input.x[row], *gain = input.gain;
    T* d = dy[row];
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) d[j] = backward(d[j] * gain[j], x[j]);
  });
}

/// dp of N(p) gain_p and dr of N(r) gain_r. The gradients that come to them are in dp and dr; with D = 1 in
/// dr, for both.
template <int D, class T>
inline void two_norms_backward(const RowList& list, int64_t n, const NormInput<T>& of_p,
                               const NormInput<T>& of_r, Rows<T> dp, Rows<T> dr, bool centred) {
  const auto use = [=](int64_t row, const auto& backwards) {
    const RowNormBackward<T> backward_p = backwards[0], backward_r = backwards[1];
    const T *p = of_p.x[row], *r = of_r.x[row], *gain_p = of_p.gain, *gain_r = of_r.gain;
    T *to_p = dp[row], *to_r = dr[row];
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      const T dy_r = to_r[j], dy_p = D == 1 ? dy_r : to_p[j];
      to_p[j] = backward_p(dy_p * gain_p[j], p[j]);
      to_r[j] = backward_r(dy_r * gain_r[j], r[j]);
    }
  };
  if constexpr (D == 1)
    norm_rows_backward<2, 1, T>(list, n, {of_p, of_r}, {dr}, centred, use);
  else
    norm_rows_backward<2, 2, T>(list, n, {of_p, of_r}, {dp, dr}, centred, use);
}

/// dp and dr from da of n columns, which is in dr.
template <class T>
inline void summed_inputs_backward(const Sequence<T>& s, const RowList& list, int64_t n, const Step<T>& at,
                                   const StepGradients<T>& to, RowSums<T> sums) {
  add_rows<T>(list, n, to.dr, sums.bias);
  const NormInput<T> of_r{at.r, at.norms.from(1), s.gain_r, sums.gain_r};
  if (s.norm == CellNorm::separate) {
    two_norms_backward<1>(list, n, {at.p, at.norms, s.gain_p, sums.gain_p}, of_r, to.dp, to.dr, s.centred);
    return;
  }
  if (s.norm == CellNorm::sum) norm_backward(list, n, of_r, to.dr, s.centred);
  for (int64_t row : list) std::copy_n(to.dr[row], n, to.dp[row]);  // p and r were added
}

// ---- rnn: h = tanh(a) or relu(a)

template <class T>
inline void rnn_forward(const Sequence<T>& s, const RowList& list, const Step<T>& at) {
  const int64_t n = s.hidden;
  measure_inputs(s, list, n, at.p, at.r, at.norms);
  for (int64_t row : list) {
    const T *p = at.p[row], *r = at.r[row];
    if (s.cell == Cell::rnn_tanh)
      summed_inputs(s, n, p, r, at.norms[row], at.h[row], [](T a, int64_t) { return tanh(a); });
    else
      summed_inputs(s, n, p, r, at.norms[row], at.h[row],
                    [](T a, int64_t) { return a < 0 ? T(0) : a; });  // NaN stays
  }
}

template <class T>
inline void rnn_backward(const Sequence<T>& s, const RowList& list, const Step<T>& at,
                         const StepGradients<T>& to, RowSums<T> sums) {
  const int64_t n = s.hidden;
  for (int64_t row : list) {
    const T *h = at.h[row], *dh = to.dh[row];
    T* da = to.dr[row];
    if (s.cell == Cell::rnn_tanh) {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) da[j] = dh[j] * (1 - h[j] * h[j]);
    } else {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) da[j] = h[j] > 0 ? dh[j] : T(0);
    }
  }
  summed_inputs_backward(s, list, n, at, to, sums);
  for (int64_t row : list) std::fill_n(to.dh[row], n, T(0));  // all of it went through r
}

// ---- lstm: i, f, o = sigmoid(a_i, a_f, a_o), g = tanh(a_g);  c = f c' + i g;  h = o tanh(N(c) gain + bias)

template <class T>
inline void lstm_forward(const Sequence<T>& s, const RowList& list, const Step<T>& at) {
  const int64_t n = s.hidden;
  measure_inputs(s, list, 4 * n, at.p, at.r, at.norms);
  for (int64_t row : list) {
    T *i = at.gates[row], *f = i + n, *g = i + 2 * n, *c = at.c[row];
    const T* c_before = at.c_before[row];
    if (at.next) prefetch(at.p[row] + at.next, 4 * n);
    summed_inputs(s, 4 * n, at.p[row], static_cast<const T*>(at.r[row]), at.norms[row], i,
                  [](T a, int64_t) { return a; });
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      i[j] = sigmoid(i[j]);
      f[j] = sigmoid(f[j]);
      g[j] = tanh(g[j]);
      c[j] = f[j] * c_before[j] + i[j] * g[j];
    }
  }
  if (s.norm != CellNorm::none) measure_rows<T>(list, n, at.c, s.eps, s.centred, at.norms.from(2));
  for (int64_t row : list) {
    const T* c = at.c[row];
    T *o = at.gates[row] + 3 * n, *h = at.h[row];
    if (s.norm == CellNorm::none) {
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) {
        o[j] = sigmoid(o[j]);
        h[j] = o[j] * tanh(c[j]);
      }
      continue;
    }
    const RowNorm<T> norm = at.norms[row][2];
    const T *gain = s.gain_c, *bias = s.bias_c;
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      o[j] = sigmoid(o[j]);
      h[j] = o[j] * tanh(norm(c[j]) * gain[j] + bias[j]);
    }
  }
}

/// dc, the gradient of c, becomes that of the step before.
template <class T>
inline void lstm_backward(const Sequence<T>& s, const RowList& list, const Step<T>& at,
                          const StepGradients<T>& to, RowSums<T> sums) {
  const int64_t n = s.hidden;
  for (int64_t row : list) {
    const T *o = at.gates[row] + 3 * n, *c = at.c[row];
    T *da_o = to.dr[row] + 3 * n, *dh = to.dh[row], *dc = to.dc[row];
    if (at.next && s.norm != CellNorm::none) prefetch(static_cast<const T*>(at.r[row]) + at.next, 4 * n);
    if (s.norm == CellNorm::none) {
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
  if (s.norm != CellNorm::none) {
    add_rows<T>(list, n, to.dh, sums.bias_c);
    const NormInput<T> of_c{at.c, at.norms.from(2), s.gain_c, sums.gain_c};
    norm_rows_backward<1, 1, T>(list, n, {of_c}, {to.dh}, s.centred, [=](int64_t row, const auto& backwards) {
      const RowNormBackward<T> backward = backwards[0];
      const T *d = to.dh[row], *c = of_c.x[row], *gain = of_c.gain;
      T* dc = to.dc[row];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) dc[j] += backward(d[j] * gain[j], c[j]);
    });
  }
  for (int64_t row : list) {
    const T *i = at.gates[row], *f = i + n, *g = i + 2 * n, *c_before = at.c_before[row];
    T *da_i = to.dr[row], *da_f = da_i + n, *da_g = da_i + 2 * n, *dc = to.dc[row];
    if (at.next && s.norm == CellNorm::separate) prefetch(at.p[row] + at.next, 4 * n);
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      da_i[j] = dc[j] * g[j] * i[j] * (1 - i[j]);
      da_f[j] = dc[j] * c_before[j] * f[j] * (1 - f[j]);
      da_g[j] = dc[j] * i[j] * (1 - g[j] * g[j]);
      dc[j] *= f[j];
    }
  }
  summed_inputs_backward(s, list, 4 * n, at, to, sums);
  for (int64_t row : list) std::fill_n(to.dh[row], n, T(0));  // all of it went through r
}

// ---- gru: r, z = sigmoid(a_r, a_z);  h = (1 - z) n + z h';  the candidate n = tanh(a_n), where
//   none       a_n = p + bias + r (q + bias_r)
//   separate   a_n = N(p) gain_p + bias + r (N(q) gain_r + bias_r)
//   sum        a_n = N(p + r q) gain_r + bias
// The norms of the gates' 2H values of p and q are norms[0] and [1], those of the candidate's H [2] and [3].

template <class T>
inline void gru_forward(const Sequence<T>& s, const RowList& list, const Step<T>& at) {
  const int64_t n = s.hidden, last = 2 * n;  // the candidate's columns begin at `last`
  const T *bias = s.bias + last, *bias_r = s.bias_r + last, *all_bias_r = s.bias_r;
  measure_inputs(s, list, last, at.p, at.r, at.norms);
  if (s.norm == CellNorm::separate) {
    measure_rows(list, n, at.p.from(last), s.eps, s.centred, at.norms.from(2));
    measure_rows<T>(list, n, at.r.from(last), s.eps, s.centred, at.norms.from(3));
  }
  for (int64_t row : list) {
    const T *p = at.p[row] + last, *q = at.r[row] + last, *h_before = at.h_before[row];
    T *reset = at.gates[row], *update = reset + n, *candidate = reset + last, *h = at.h[row];
    if (at.next) prefetch(at.p[row] + at.next, 3 * n);
    summed_inputs(s, last, at.p[row], static_cast<const T*>(at.r[row]), at.norms[row], reset,
                  [all_bias_r](T a, int64_t j) { return sigmoid(a + all_bias_r[j]); });
    switch (s.norm) {
      case CellNorm::none:
        TAPEGRAD_INDEPENDENT
        for (int64_t j = 0; j < n; ++j) {
          const T value = tanh(p[j] + bias[j] + reset[j] * (q[j] + bias_r[j]));
          candidate[j] = value;
          h[j] = value + update[j] * (h_before[j] - value);
        }
        break;
      case CellNorm::separate: {
        const RowNorm<T> norm_p = at.norms[row][2], norm_q = at.norms[row][3];
        const T *gain_p = s.gain_p + last, *gain_q = s.gain_r + last;
        TAPEGRAD_INDEPENDENT
        for (int64_t j = 0; j < n; ++j) {
          const T value =
              tanh(norm_p(p[j]) * gain_p[j] + bias[j] + reset[j] * (norm_q(q[j]) * gain_q[j] + bias_r[j]));
          candidate[j] = value;
          h[j] = value + update[j] * (h_before[j] - value);
        }
        break;
      }
      case CellNorm::sum:
        TAPEGRAD_INDEPENDENT
        for (int64_t j = 0; j < n; ++j) candidate[j] = p[j] + reset[j] * q[j];
    }
  }
  if (s.norm != CellNorm::sum) return;
  measure_rows<T>(list, n, at.gates.from(last), s.eps, s.centred, at.norms.from(3));
  for (int64_t row : list) {
    const T *gain = s.gain_r + last, *h_before = at.h_before[row], *update = at.gates[row] + n;
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
template <class T>
inline void gru_backward(const Sequence<T>& s, const RowList& list, const Step<T>& at,
                         const StepGradients<T>& to, RowSums<T> sums) {
  const int64_t n = s.hidden, last = 2 * n;
  const Rows<T> dp = to.dp.from(last), dr = to.dr.from(last);
  const T *gain = s.gain_r ? s.gain_r + last : nullptr, *bias = s.bias_r + last;
  const bool sum = s.norm == CellNorm::sum;
  for (int64_t row : list) {  // of a_n, in dr, and of the update gate
    const T *dh = to.dh[row], *h_before = at.h_before[row];
    const T *update = at.gates[row] + n, *candidate = update + n;
    T *da = dr[row], *d_update = to.dr[row] + n;
    if (at.next) prefetch(static_cast<const T*>(at.r[row]) + at.next, 3 * n);
    TAPEGRAD_INDEPENDENT
    for (int64_t j = 0; j < n; ++j) {
      da[j] = dh[j] * (1 - update[j]) * (1 - candidate[j] * candidate[j]);
      d_update[j] = dh[j] * (h_before[j] - candidate[j]) * update[j] * (1 - update[j]);
    }
  }
  add_rows<T>(list, n, dr, sums.bias + last);
  if (sum) {  // of a_n's norm, whose input is made once more, in dp
    for (int64_t row : list) {
      const T *p = at.p[row] + last, *q = at.r[row] + last, *reset = at.gates[row];
      T* value = dp[row];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < n; ++j) value[j] = p[j] + reset[j] * q[j];
    }
    norm_backward<T>(list, n, {dp, at.norms.from(3), s.gain_r + last, sums.gain_r + last}, dr, s.centred);
  }
  for (int64_t row : list) {
    const T *q = at.r[row] + last, *reset = at.gates[row], *update = reset + n;
    T *d_reset = to.dr[row], *dq = dr[row], *dh = to.dh[row], *d = dp[row];
    if (at.next && s.norm == CellNorm::separate) prefetch(at.p[row] + at.next, 3 * n);
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
    if (s.norm == CellNorm::separate) {
      const RowNorm<T> norm = at.norms[row][3];
      product_backward([=](int64_t j) { return norm(q[j]) * gain[j] + bias[j]; });
    } else if (sum) {
      product_backward([=](int64_t j) { return q[j]; });
    } else {
      product_backward([=](int64_t j) { return q[j] + bias[j]; });
    }
  }
  if (s.norm != CellNorm::sum) add_rows<T>(list, 3 * n, to.dr, sums.bias_r);
  if (s.norm == CellNorm::separate) {
    two_norms_backward<2>(list, n, {at.p.from(last), at.norms.from(2), s.gain_p + last, sums.gain_p + last},
                          {at.r.from(last), at.norms.from(3), gain, sums.gain_r + last}, dp, dr, s.centred);
  }
  summed_inputs_backward(s, list, last, at, to, sums);
}

}  // namespace tapegrad::kernels::rows
