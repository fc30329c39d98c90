// The loops over time: one product and one pass over the rows a step.
#include "kernels/recurrent.h"

#include <algorithm>

#include "kernels/recurrent_rows.h"

namespace tapegrad::kernels {

namespace {

/// Hands out parts of the room that the caller gave a block of rows.
template <class T>
class Room {
 public:
  explicit Room(T* memory) : next_(memory) {}
  T* take(int64_t n) {
    T* part = next_;
    next_ += (n + 15) / 16 * 16;
    return part;
  }

 private:
  T* next_;
};

/// Where things of step t lie.
template <class T>
struct TimeAxis {
  const Sequence<T>& s;
  int64_t time(int64_t k) const { return s.reverse ? s.steps - 1 - k : k; }
  int64_t before(int64_t t) const {
    return s.reverse ? t + 1 : t;
  }  // index into states of the state before step t
  int64_t after(int64_t t) const { return s.reverse ? t : t + 1; }
  bool active(int64_t t, int64_t row) const { return !s.lengths || t < s.lengths[row]; }
};

/// Asks for n numbers that a later step will read. Rows of one step lie side by side, but from step to step
/// the loop jumps, and the hardware does not see that coming.
template <class T>
inline void prefetch(const T* from, int64_t n) {
  for (int64_t i = 0; i < n; i += int64_t(64 / sizeof(T))) __builtin_prefetch(from + i, 0, 2);
}

/// Where the values of one row of the batch at step t lie.
template <class T>
struct RowAt {
  RowAt(const Sequence<T>& s, int64_t t, int64_t row) {
    const TimeAxis<T> at{s};
    const int64_t h = s.hidden, n = gate_count(s.cell) * h, i = t * s.batch + row;
    const int64_t before = (at.before(t) * s.batch + row) * h, after = (at.after(t) * s.batch + row) * h;
    active = at.active(t, row);
    p = s.p + i * n;
    r = s.r ? s.r + i * n : nullptr;
    gates = s.gates + i * n;
    norms = s.norms + i * norms_per_row(s.cell);
    h_before = s.states + before;
    state = s.states + after;
    c_before = s.cells ? s.cells + before : nullptr;
    c = s.cells ? s.cells + after : nullptr;
    output = s.output ? s.output + i * h : nullptr;
  }
  bool active;
  const T* p;
  T *r, *gates;
  RowNorm<T>* norms;
  const T *h_before, *c_before;
  T *state, *c, *output;
};

/// A row whose sequence has ended keeps its state.
template <class T>
void carry(const Sequence<T>& s, const RowAt<T>& row) {
  std::copy_n(row.h_before, s.hidden, row.state);
  if (row.c) std::copy_n(row.c_before, s.hidden, row.c);
  std::fill_n(row.output, s.hidden, T(0));
}

template <class T>
void step_forward(const Sequence<T>& s, int64_t t, int64_t begin, int64_t end, T* scratch, T* room) {
  const int64_t h = s.hidden, n = gate_count(s.cell) * h, next = s.reverse ? t - 1 : t + 1;
  const bool is_lstm = s.cell == Cell::lstm;
  const auto r_of = [=](const RowAt<T>& row, int64_t index) {
    return row.r ? row.r : scratch + (index - begin) * n;
  };
  for (int64_t index = begin; index < end; ++index) {
    const RowAt<T> row(s, t, index);
    if (!row.active) {
      carry(s, row);
      continue;
    }
    if (next >= 0 && next < s.steps) prefetch(s.p + (next * s.batch + index) * n, n);
    if (s.cell == Cell::gru)
      rows::gru_forward(s, row.p, static_cast<const T*>(row.r), row.norms, row.h_before, row.gates, row.state,
                        room);
    else
      rows::measure_inputs(s, n, row.p, r_of(row, index), row.norms);
  }
  for (int64_t index = begin; index < end; ++index) {
    const RowAt<T> row(s, t, index);
    if (!row.active) continue;
    if (s.cell != Cell::gru) {
      rows::summed_inputs(s, n, row.p, static_cast<const T*>(r_of(row, index)), row.norms, row.gates);
      if (is_lstm)
        rows::lstm_cell(s, row.gates, row.c_before, row.c);
      else
        rows::rnn_forward(s, static_cast<const T*>(row.gates), row.state);
    }
    if (row.output && !is_lstm) std::copy_n(row.state, h, row.output);
  }
  if (!is_lstm) return;
  if (s.norm != CellNorm::none)
    for (int64_t index = begin; index < end; ++index) {
      const RowAt<T> row(s, t, index);
      if (row.active) row.norms[2] = measure_row(static_cast<const T*>(row.c), h, s.eps, s.centred);
    }
  for (int64_t index = begin; index < end; ++index) {
    const RowAt<T> row(s, t, index);
    if (!row.active) continue;
    rows::lstm_output(s, row.gates, static_cast<const T*>(row.c), row.norms + 2, row.state);
    if (row.output) std::copy_n(row.state, h, row.output);
  }
}

template <class T>
void step_backward(const Sequence<T>& s, const SequenceGradients<T>& g, int64_t t, int64_t begin, int64_t end,
                   T* dr_of_step, T* room, rows::RowSums<T> sums) {
  const TimeAxis<T> at{s};
  const int64_t h = s.hidden, n = gate_count(s.cell) * h, per_row = norms_per_row(s.cell);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t i = t * s.batch + row;
    T *dp = g.dp + i * n, *dr = dr_of_step + (row - begin) * n, *dh = g.dstate + row * h;
    if (!at.active(t, row)) {  // the state passed through: dh and dc stay
      std::fill_n(dp, n, T(0));
      std::fill_n(dr, n, T(0));
      continue;
    }
    if (const int64_t next = s.reverse ? t + 1 : t - 1; next >= 0 && next < s.steps) {
      const int64_t i = (next * s.batch + row) * n;
      prefetch(s.gates + i, n);
      if (s.r) prefetch(s.r + i, n);
      if (s.norm == CellNorm::separate) prefetch(s.p + i, n);
    }
    if (g.doutput) {
      const T* dy = g.doutput + i * h;
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < h; ++j) dh[j] += dy[j];
    }
    const int64_t before = (at.before(t) * s.batch + row) * h, after = (at.after(t) * s.batch + row) * h;
    const T *p = s.p + i * n, *r = s.r ? s.r + i * n : nullptr, *gates = s.gates + i * n;
    const RowNorm<T>* norms = s.norms + i * per_row;
    if (s.cell == Cell::gru) {
      rows::gru_backward(s, p, r, norms, gates, s.states + before, dh, dp, dr, room, sums);
      continue;
    }
    T* da = s.norm == CellNorm::none ? dr : room;
    if (s.cell == Cell::lstm)
      rows::lstm_backward(s, gates, s.cells + before, s.cells + after, norms + 2, static_cast<const T*>(dh),
                          g.dcell + row * h, da, room + n, sums);
    else
      rows::rnn_backward(s, s.states + after, static_cast<const T*>(dh), da);
    rows::summed_inputs_backward(s, n, p, r, norms, static_cast<const T*>(da), dp, dr, sums);
    std::fill_n(dh, h, T(0));  // all of it went through r
  }
}

/// Rows of dr that are kept for one product of the weights' gradient.
constexpr int64_t kWeightRows = 128;

/// Adds the sums of some steps, which are set back to 0, to those of the block.
template <class T>
void add_up(int64_t n, T* from, double* to) {
  for (int64_t j = 0; j < n; ++j) {
    to[j] += double(from[j]);
    from[j] = 0;
  }
}

}  // namespace

template <class T>
int64_t recurrent_block(const Sequence<T>& s) {
  const int64_t weights = gate_count(s.cell) * s.hidden * s.hidden;
  const bool small = s.steps * s.batch * weights < (1 << 21);
  if (small) return std::max<int64_t>(s.batch, 1);
  return weights > (1 << 18) ? 32 : 16;
}

template <class T>
int64_t recurrent_room(const Sequence<T>& s) {
  const int64_t n = gate_count(s.cell) * s.hidden, rows = std::max(recurrent_block(s), kWeightRows);
  return rows * (n + s.hidden) + 6 * n + 2 * s.hidden + 4 * 16;
}

template <class T>
void recurrent_forward(const Sequence<T>& s, int64_t begin, int64_t end) {
  const TimeAxis<T> at{s};
  const int64_t h = s.hidden, n = gate_count(s.cell) * h;
  Room<T> room(s.room + begin / recurrent_block(s) * recurrent_room(s));
  T *memory = room.take((end - begin) * n), *more = room.take(2 * n);
  for (int64_t k = 0; k < s.steps; ++k) {
    const int64_t t = at.time(k);
    T* r = s.r ? s.r + (t * s.batch + begin) * n : memory;
    gemm_packed(end - begin, s.states + (at.before(t) * s.batch + begin) * h, h, s.weight, 0, r, n);
    simd([=, &s] { step_forward(s, t, begin, end, memory, more); });
  }
}

template <class T>
void recurrent_backward(const Sequence<T>& s, const SequenceGradients<T>& g, int64_t begin, int64_t end) {
  const TimeAxis<T> at{s};
  const int64_t h = s.hidden, n = gate_count(s.cell) * h, rows = end - begin;
  // dW = sum of dr^T h' over the steps. One product over the whole sequence would fetch dr from memory again;
  // one a step is too small. So dr and h' of some steps are kept side by side, where they are still in cache.
  const int64_t kept_steps = std::max<int64_t>(1, kWeightRows / rows);
  Room<T> room(s.room + begin / recurrent_block(s) * recurrent_room(s));
  T *dr = room.take(kept_steps * rows * n), *states = room.take(kept_steps * rows * h),
    *more = room.take(2 * n);
  T* m = room.take(4 * n + 2 * h);
  std::fill_n(m, 4 * n + 2 * h, T(0));
  const rows::RowSums<T> sums{m, m + n, m + 2 * n, m + 3 * n, m + 4 * n, m + 4 * n + h};
  const bool normed = s.norm != CellNorm::none, separate = s.norm == CellNorm::separate;
  const bool is_gru = s.cell == Cell::gru, is_lstm = s.cell == Cell::lstm;
  int64_t kept = 0;
  bool first = true;
  for (int64_t k = s.steps - 1; k >= 0; --k) {
    const int64_t t = at.time(k);
    T* dr_of_step = dr + kept * rows * n;
    simd([=, &s, &g] { step_backward(s, g, t, begin, end, dr_of_step, more, sums); });
    gemm_packed(rows, dr_of_step, n, g.weight, 1, g.dstate + begin * h, h);
    std::copy_n(s.states + (at.before(t) * s.batch + begin) * h, rows * h, states + kept * rows * h);
    if (++kept < kept_steps && k > 0) continue;
    if (g.dweight) gemm<T>(true, false, n, h, kept * rows, 1, dr, n, states, h, first ? 0 : 1, g.dweight, h);
    simd([=, &g] {
      add_up(n, sums.bias, g.dbias);
      if (is_gru) add_up(n, sums.bias_r, g.dbias_r);
      if (normed) add_up(n, sums.gain_r, g.dgain_r);
      if (separate) add_up(n, sums.gain_p, g.dgain_p);
      if (normed && is_lstm) {
        add_up(h, sums.gain_c, g.dgain_c);
        add_up(h, sums.bias_c, g.dbias_c);
      }
    });
    kept = 0;
    first = false;
  }
}

template int64_t recurrent_block(const Sequence<float>&);
template int64_t recurrent_block(const Sequence<double>&);
template int64_t recurrent_room(const Sequence<float>&);
template int64_t recurrent_room(const Sequence<double>&);
template void recurrent_forward(const Sequence<float>&, int64_t, int64_t);
template void recurrent_forward(const Sequence<double>&, int64_t, int64_t);
template void recurrent_backward(const Sequence<float>&, const SequenceGradients<float>&, int64_t, int64_t);
template void recurrent_backward(const Sequence<double>&, const SequenceGradients<double>&, int64_t, int64_t);

}  // namespace tapegrad::kernels
