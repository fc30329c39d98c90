// The loops over time: one product and one pass over the rows a step.
#include "kernels/recurrent/recurrent.h"

#include <algorithm>

#include "kernels/recurrent/recurrent_rows.h"

namespace tapegrad::kernels {

namespace {

/// Hands out parts of the workspace that the caller gave a block of rows.
template <class T>
class Workspace {
 public:
  explicit Workspace(T* memory) : next_(memory) {}
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
  /// Where the state before step t stands in `states`.
  int64_t before(int64_t t) const { return s.reverse ? t + 1 : t; }
  int64_t after(int64_t t) const { return s.reverse ? t : t + 1; }
  bool active(int64_t t, int64_t row) const { return !s.lengths || t < s.lengths[row]; }
};

template <class T>
T* offset(T* from, int64_t n) {
  return from ? from + n : nullptr;
}

/// Where the values of step t lie for the rows of a block; `next` is the step that comes after it.
template <class T>
rows::Step<T> step_at(const Sequence<T>& s, int64_t t, int64_t next, int64_t block_begin, T* scratch) {
  const TimeAxis<T> at{s};
  const int64_t h = s.hidden, n = gate_count(s.cell) * h, i = t * s.batch + block_begin;
  const int64_t before = (at.before(t) * s.batch + block_begin) * h;
  const int64_t after = (at.after(t) * s.batch + block_begin) * h;
  const int64_t norms = norms_per_row(s.cell);
  return {.p = {s.p + i * n, n},
          .h_before = {s.states + before, h},
          .c_before = {offset(s.cells, before), h},
          .q = {s.q ? s.q + i * n : scratch, n},
          .gates = {offset(s.gates, i * n), n},
          .h = {s.states + after, h},
          .c = {offset(s.cells, after), h},
          .norms = {s.norms + i * norms, norms},
          .next = next >= 0 && next < s.steps ? (next - t) * s.batch * n : 0};
}

/// The rows of a block, some at a time: work(running, ended), those whose sequences have step t and those
/// whose are over.
template <class T, class Work>
void in_lists(const Sequence<T>& s, int64_t t, int64_t begin, int64_t end, Work work) {
  constexpr int64_t kMost = 32;
  const TimeAxis<T> at{s};
  for (int64_t from = begin; from < end; from += kMost) {
    int64_t running[kMost], ended[kMost], n_running = 0, n_ended = 0;
    for (int64_t row = from; row < std::min(end, from + kMost); ++row)
      if (at.active(t, row))
        running[n_running++] = row - begin;
      else
        ended[n_ended++] = row - begin;
    work(RowList{running, n_running}, RowList{ended, n_ended});
  }
}

/// step(cell) with the cell as a constant: a function of its own for each leaves the compiler enough registers. Both
/// activations of the plain cell share one.
template <class Step>
void with_cell(RecurrentCell cell, Step step) {
  using enum RecurrentCell;
  switch (cell) {
    case rnn_tanh:
    case rnn_relu: return step(std::integral_constant<RecurrentCell, rnn_tanh>());
    case lstm: return step(std::integral_constant<RecurrentCell, lstm>());
    case gru: return step(std::integral_constant<RecurrentCell, gru>());
  }
}

template <class I, RecurrentCell cell, class T>
void step_forward(const Sequence<T>& s, int64_t t, int64_t begin, int64_t end, T* scratch) {
  const int64_t h = s.hidden;
  const rows::Step<T> at = step_at(s, t, s.reverse ? t - 1 : t + 1, begin, scratch);
  const MatrixRows<T> output{offset(s.output, (t * s.batch + begin) * h), h};
  in_lists(s, t, begin, end, [&](const RowList& running, const RowList& ended) {
    if constexpr (cell == RecurrentCell::lstm)
      rows::lstm_forward<I>(s, running, at);
    else if constexpr (cell == RecurrentCell::gru)
      rows::gru_forward<I>(s, running, at);
    else
      rows::rnn_forward<I>(s, running, at);
    if (!s.output) return;
    for (int64_t row : running) std::copy_n(at.h[row], h, output[row]);
    for (int64_t row : ended) {  // the state stays
      std::copy_n(at.h_before[row], h, at.h[row]);
      if (s.cells) std::copy_n(at.c_before[row], h, at.c[row]);
      std::fill_n(output[row], h, T(0));
    }
  });
}

template <class I, RecurrentCell cell, class T>
void step_backward(const Sequence<T>& s, const SequenceGradients<T>& g, int64_t t, int64_t begin, int64_t end,
                   T* dq_of_step, rows::RowSums<T> sums) {
  const int64_t h = s.hidden, n = gate_count(s.cell) * h, i = t * s.batch + begin;
  const rows::Step<T> at = step_at<T>(s, t, s.reverse ? t + 1 : t - 1, begin, nullptr);
  const rows::StepGradients<T> to{.dp = {g.dp + i * n, n},
                                  .dq = {dq_of_step, n},
                                  .dh = {g.dstate + begin * h, h},
                                  .dc = {offset(g.dcell, begin * h), h}};
  const MatrixRows<const T> doutput{offset(g.doutput, i * h), h};
  in_lists(s, t, begin, end, [&](const RowList& running, const RowList& ended) {
    for (int64_t row : running) {
      if (!g.doutput) break;
      const T* dy = doutput[row];
      T* dh = to.dh[row];
      TAPEGRAD_INDEPENDENT
      for (int64_t j = 0; j < h; ++j) dh[j] += dy[j];
    }
    if constexpr (cell == RecurrentCell::lstm)
      rows::lstm_backward<I>(s, running, at, to, sums);
    else if constexpr (cell == RecurrentCell::gru)
      rows::gru_backward<I>(s, running, at, to, sums);
    else
      rows::rnn_backward<I>(s, running, at, to, sums);
    for (int64_t row : ended) {  // the state passed through: dh and dc stay
      std::fill_n(to.dp[row], n, T(0));
      std::fill_n(to.dq[row], n, T(0));
    }
  });
}

/// Rows of dq that are kept for one product of the weights' gradient.
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
int64_t recurrent_workspace(const Sequence<T>& s) {
  const int64_t n = gate_count(s.cell) * s.hidden, rows = std::max(recurrent_block(s), kWeightRows);
  return rows * (n + s.hidden) + 4 * n + 2 * s.hidden + 3 * 16;
}

template <class T>
void recurrent_forward(const Sequence<T>& s, int64_t begin, int64_t end) {
  const TimeAxis<T> at{s};
  const int64_t h = s.hidden, n = gate_count(s.cell) * h;
  Workspace<T> workspace(s.workspace + begin / recurrent_block(s) * recurrent_workspace(s));
  T* scratch = workspace.take((end - begin) * n);
  for (int64_t k = 0; k < s.steps; ++k) {
    const int64_t t = at.time(k);
    T* q = s.q ? s.q + (t * s.batch + begin) * n : scratch;
    gemm_packed(end - begin, s.states + (at.before(t) * s.batch + begin) * h, h, s.weight, 0, q, n);
    with_cell(s.cell, [=, &s](auto cell) {
      simd([=, &s](auto isa) { step_forward<decltype(isa), cell()>(s, t, begin, end, scratch); });
    });
  }
}

template <class T>
void recurrent_backward(const Sequence<T>& s, const SequenceGradients<T>& g, int64_t begin, int64_t end) {
  const TimeAxis<T> at{s};
  const int64_t h = s.hidden, n = gate_count(s.cell) * h, rows = end - begin;
  // dW = sum of dq^T h' over the steps. One product over the whole sequence would fetch dq from memory again;
  // one a step is too small. So dq and h' of some steps are kept side by side, where they are still in cache.
  const int64_t kept_steps = std::max<int64_t>(1, kWeightRows / rows);
  Workspace<T> workspace(s.workspace + begin / recurrent_block(s) * recurrent_workspace(s));
  T *dq = workspace.take(kept_steps * rows * n), *states = workspace.take(kept_steps * rows * h);
  T* m = workspace.take(4 * n + 2 * h);
  std::fill_n(m, 4 * n + 2 * h, T(0));
  const rows::RowSums<T> sums{m, m + n, m + 2 * n, m + 3 * n, m + 4 * n, m + 4 * n + h};
  int64_t kept = 0;
  bool first = true;
  for (int64_t k = s.steps - 1; k >= 0; --k) {
    const int64_t t = at.time(k);
    T* dq_of_step = dq + kept * rows * n;
    with_cell(s.cell, [=, &s, &g](auto cell) {
      simd([=, &s, &g](auto isa) { step_backward<decltype(isa), cell()>(s, g, t, begin, end, dq_of_step, sums); });
    });
    gemm_packed(rows, dq_of_step, n, g.weight, 1, g.dstate + begin * h, h);
    std::copy_n(s.states + (at.before(t) * s.batch + begin) * h, rows * h, states + kept * rows * h);
    if (++kept < kept_steps && k > 0) continue;
    if (g.dweight) gemm<T>(true, false, n, h, kept * rows, 1, dq, n, states, h, first ? 0 : 1, g.dweight, h);
    simd([=, &g] { add_up(4 * n + 2 * h, m, g.sums); });
    kept = 0;
    first = false;
  }
}

template int64_t recurrent_block(const Sequence<float>&);
template int64_t recurrent_block(const Sequence<double>&);
template int64_t recurrent_workspace(const Sequence<float>&);
template int64_t recurrent_workspace(const Sequence<double>&);
template void recurrent_forward(const Sequence<float>&, int64_t, int64_t);
template void recurrent_forward(const Sequence<double>&, int64_t, int64_t);
template void recurrent_backward(const Sequence<float>&, const SequenceGradients<float>&, int64_t, int64_t);
template void recurrent_backward(const Sequence<double>&, const SequenceGradients<double>&, int64_t, int64_t);

}  // namespace tapegrad::kernels
