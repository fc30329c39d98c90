// A recurrent layer over a whole sequence, fused: kernels/recurrent/recurrent.h has the loop over time.
//
// Saved: the states, the gates after their nonlinearity, and with a norm q = h W_hh^T and the moments of each
// row; the normalized values themselves cost one multiplication to rebuild.
//
// Backward, from the last step to the first, with dh and dc carried:
//   lstm   t = tanh(N(c))     do = dh t o (1 - o)      dc += N backward of dh o (1 - t^2)
//          di = dc g i (1 - i)     df = dc c' f (1 - f)     dg = dc i (1 - g^2)     dc' = dc f
//   gru    dn = dh (1 - z) (1 - n^2)     dr = dn q_n r (1 - r)     dz = dh (h' - n) z (1 - z)     dq_n = dn r
//          dh' = dh z + what comes through q
//   rnn    da = dh (1 - h^2), or dh where h > 0
//   norm   dx = rstd (g - mean(g) - xhat mean(g xhat)),  g = da gain    (as in layer_norm.cpp)
//   dh' += dq W_hh a step;   dW_hh = sum over steps of dq^T h', one product over all T B rows
// Source of the equations: Ba, Kiros, Hinton 2016, arXiv:1607.06450; Hochreiter and Schmidhuber 1997 with the
// forget gate of Gers et al. 2000; Cho et al. 2014, in the form that applies the reset gate after the
// product.
#include "ops/recurrent/recurrent.h"

#include <tapegrad/ops/reduce.h>

#include <algorithm>

#include "core/fail.h"
#include "kernels/gemm/gemm.h"
#include "kernels/recurrent/recurrent.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad {

namespace {

using detail::mutable_ptr;
using detail::mutable_ptr_or_null;
using detail::plain;

const char* op_name(RecurrentCell cell) {
  return cell == RecurrentCell::lstm ? "lstm" : cell == RecurrentCell::gru ? "gru" : "rnn";
}

void check_shape(const char* op, const char* what, const Tensor& x, const Shape& shape, Dtype dtype) {
  if (!x.defined()) return;
  if (x.shape() != shape) fail<ShapeError>(op, "{} must have the shape {}, got {}", what, shape, x.shape());
  if (x.dtype() != dtype) fail<DtypeError>(op, "{} must be {} as the input, got {}", what, dtype, x.dtype());
}

void check(const Tensor& p, const Tensor& h0, const Tensor& c0, const RecurrentParameters& w,
           const RecurrentOptions& o) {
  const char* op = op_name(o.cell);
  const int64_t gates = gate_count(o.cell);
  if (p.dim() != 3 || w.weight_hh.dim() != 2)
    fail<ShapeError>(op, "projected must be [T, B, GH] and weight_hh [GH, H], got {} and {}", p.shape(),
                     w.weight_hh.shape());
  const int64_t hidden = w.weight_hh.size(1), width = gates * hidden, batch = p.size(1);
  const Dtype dtype = p.dtype();
  check_shape(op, "projected", p, {p.size(0), batch, width}, dtype);
  check_shape(op, "weight_hh", w.weight_hh, {width, hidden}, dtype);
  check_shape(op, "h0", h0, {batch, hidden}, dtype);
  check_shape(op, "c0", c0, {batch, hidden}, dtype);
  for (const Tensor* x : {&w.bias, &w.bias_hh, &w.gain_ih, &w.gain_hh})
    check_shape(op, "a bias or gain", *x, {width}, dtype);
  for (const Tensor* x : {&w.gain_c, &w.bias_c}) check_shape(op, "gain_c and bias_c", *x, {hidden}, dtype);
  if (o.norm == Norm::batch) fail<ValueError>(op, "norm must be none, layer or rms here, got batch");
  if (o.norm != Norm::none && o.placement == Placement::sum && w.bias_hh.defined())
    fail<ValueError>(op, "with Placement::sum a gru has one bias. Hint: leave bias_hh undefined");
  if (!o.lengths.defined()) return;
  if (o.lengths.shape() != Shape{batch} || o.lengths.dtype() != int64)
    fail<ShapeError>(op, "lengths must be int64 [{}], got {} {}", batch, o.lengths.dtype(),
                     o.lengths.shape());
  const Tensor lengths = o.lengths.contiguous();
  for (int64_t row = 0; row < batch; ++row)
    if (const int64_t n = detail::ptr<int64_t>(lengths)[row]; n < 0 || n > p.size(0))
      fail<IndexError>(op, "lengths must be in [0, {}], got {} for row {}", p.size(0), n, row);
}

// The tensors of one run. Parameters that are not given stand as ones (gains) or zeros (biases).
struct Run {
  RecurrentOptions options;
  int64_t steps, batch, hidden, width;
  Tensor p, weight, bias, bias_hh, gain_ih, gain_hh, gain_c, bias_c;  // inputs, contiguous
  Tensor states, cells, output, gates, q, norms;                      // of forward

  bool normed() const { return options.norm != Norm::none; }
  bool is_lstm() const { return options.cell == RecurrentCell::lstm; }
  bool is_gru() const { return options.cell == RecurrentCell::gru; }
  /// Where the states after the steps begin.
  int64_t first_output() const { return options.reverse ? 0 : batch * hidden; }
};

Tensor plain_or(const Tensor& x, const Shape& shape, double value, Dtype dtype) {
  return x.defined() ? plain(x) : full(shape, value, {.dtype = dtype});
}

Run start(const Tensor& p, const Tensor& h0, const Tensor& c0, const RecurrentParameters& w,
          const RecurrentOptions& o) {
  const Dtype dtype = p.dtype();
  Run run;
  run.options = o;
  run.steps = p.size(0);
  run.batch = p.size(1);
  run.hidden = w.weight_hh.size(1);
  run.width = p.size(2);
  run.options.lengths = plain(o.lengths);
  run.p = plain(p);
  run.weight = plain(w.weight_hh);
  run.bias = plain_or(w.bias, {run.width}, 0, dtype);
  if (run.is_gru()) run.bias_hh = plain_or(w.bias_hh, {run.width}, 0, dtype);
  if (run.normed()) {
    run.gain_ih = plain_or(w.gain_ih, {run.width}, 1, dtype);
    run.gain_hh = plain_or(w.gain_hh, {run.width}, 1, dtype);
    run.gain_c = plain_or(w.gain_c, {run.hidden}, 1, dtype);
    run.bias_c = plain_or(w.bias_c, {run.hidden}, 0, dtype);
  }
  const int64_t state = run.batch * run.hidden, rows = run.steps * run.batch;
  run.states = detail::new_tensor({run.steps + 1, run.batch, run.hidden}, dtype);
  if (run.is_lstm()) run.cells = detail::new_tensor(run.states.shape(), dtype);
  if (o.lengths.defined()) run.output = detail::new_tensor({run.steps, run.batch, run.hidden}, dtype);
  if (run.is_lstm() || run.is_gru()) run.gates = detail::new_tensor(p.shape(), dtype);
  if (run.normed() || run.is_gru()) run.q = detail::new_tensor(p.shape(), dtype);
  run.norms = detail::new_tensor({run.normed() ? rows * kernels::norms_per_row(o.cell) : 0, 2}, dtype);
  detail::dispatch_float(op_name(o.cell), dtype, [&]<class T>(T) {
    const int64_t first = o.reverse ? run.steps * state : 0;
    const auto put = [&](const Tensor& from, const Tensor& to) {
      T* place = mutable_ptr<T>(to) + first;
      if (from.defined())
        std::copy_n(detail::ptr<T>(plain(from)), state, place);
      else
        std::fill_n(place, state, T(0));
    };
    put(h0, run.states);
    if (run.is_lstm()) put(c0, run.cells);
  });
  return run;
}

template <class T>
kernels::Sequence<T> sequence(const Run& run) {
  const RecurrentOptions& o = run.options;
  return {.cell = o.cell,
          .norm = o.norm,
          .placement = o.placement,
          .eps = o.eps,
          .reverse = o.reverse,
          .steps = run.steps,
          .batch = run.batch,
          .hidden = run.hidden,
          .lengths = mutable_ptr_or_null<int64_t>(o.lengths),
          .p = mutable_ptr<T>(run.p),
          .weight = {},
          .gain_ih = mutable_ptr_or_null<T>(run.gain_ih),
          .gain_hh = mutable_ptr_or_null<T>(run.gain_hh),
          .bias = mutable_ptr<T>(run.bias),
          .bias_hh = mutable_ptr_or_null<T>(run.bias_hh),
          .gain_c = mutable_ptr_or_null<T>(run.gain_c),
          .bias_c = mutable_ptr_or_null<T>(run.bias_c),
          .states = mutable_ptr<T>(run.states),
          .cells = mutable_ptr_or_null<T>(run.cells),
          .output = mutable_ptr_or_null<T>(run.output),
          .gates = mutable_ptr_or_null<T>(run.gates),
          .q = mutable_ptr_or_null<T>(run.q),
          .norms = reinterpret_cast<kernels::RowNorm<T>*>(mutable_ptr<T>(run.norms)),
          .workspace = nullptr};
}

template <class T>
int64_t block_count(const kernels::Sequence<T>& s) {
  const int64_t block = kernels::recurrent_block(s);
  return (s.batch + block - 1) / block;
}

// Workspace for every block: the worker threads then ask the pool for nothing, whoever takes which block.
template <class T>
Tensor workspace_of(const kernels::Sequence<T>& s, Dtype dtype) {
  return detail::new_tensor({block_count(s), kernels::recurrent_workspace(s)}, dtype);
}

template <class T>
void forward(const Run& run) {
  kernels::Sequence<T> s = sequence<T>(run);
  const Tensor packed = detail::new_tensor({kernels::packed_size<T>(run.hidden, run.width)}, run.p.dtype());
  s.weight = kernels::pack_b(true, run.hidden, run.width, mutable_ptr<T>(run.weight), run.hidden,
                             mutable_ptr<T>(packed));
  const int64_t block = kernels::recurrent_block(s);
  const Tensor scratch = workspace_of(s, run.p.dtype());
  s.workspace = mutable_ptr<T>(scratch);
  parallel_rows(run.batch, block,
                [&](int64_t begin, int64_t end) { kernels::recurrent_forward(s, begin, end); });
}

// What the blocks of rows give, added up in their order.
Tensor sum_of_blocks(const Tensor& parts) {
  return parts.size(0) == 1 ? parts.reshape(Shape{parts.size(1), parts.size(2)}) : sum(parts, 0);
}

// Where dp goes. The kernel writes a row of it after the last use of that row of the gates. So where these are large
// and nobody will ask for them again, dp takes their memory: it is in cache, and new memory would push more of
// what is still to be read out. A small dp comes from the pool, as warm.
Tensor memory_for_dp(const Run& run, Needs needs) {
  constexpr int64_t kLarge = 4 << 20;  // bytes; measured, see docs/design.md
  const Dtype dtype = run.p.dtype();
  if (needs.again || !run.gates.defined() || run.gates.numel() * int64_t(item_size(dtype)) < kLarge)
    return detail::new_tensor(run.p.shape(), dtype);
  ++run.gates.impl()->storage->version;  // should this backward fail, another one finds them changed
  return run.gates;
}

// The gradients in the order of recurrent_inputs().
template <class T>
Gradients backward(const Run& run, const Gradients& dy, Needs needs) {
  const Dtype dtype = run.p.dtype();
  kernels::Sequence<T> s = sequence<T>(run);
  kernels::SequenceGradients<T> g{};
  const int64_t n = run.width, h = run.hidden;
  const Tensor packed = detail::new_tensor({kernels::packed_size<T>(n, h)}, dtype);
  g.weight = kernels::pack_b(false, n, h, mutable_ptr<T>(run.weight), h, mutable_ptr<T>(packed));
  const Tensor doutput = plain(dy[0]);
  g.doutput = mutable_ptr_or_null<T>(doutput);
  const auto copied = [&](const Tensor& x) {
    return x.defined() ? x.detach().clone() : zeros({run.batch, h}, {.dtype = dtype});
  };
  const Tensor dstate = copied(dy[1]), dcell = run.is_lstm() ? copied(dy[2]) : Tensor();
  const Tensor dp = memory_for_dp(run, needs);
  g.dstate = mutable_ptr<T>(dstate);
  g.dcell = mutable_ptr_or_null<T>(dcell);
  g.dp = mutable_ptr<T>(dp);

  // One row of sums a block: gain_ih, gain_hh, bias, bias_hh, gain_c, bias_c.
  const int64_t width = 4 * n + 2 * h;
  const int64_t block = kernels::recurrent_block(s), blocks = block_count(s);
  const Tensor scratch = workspace_of(s, dtype);
  s.workspace = mutable_ptr<T>(scratch);
  const Tensor partial = zeros({blocks, width}, {.dtype = float64});
  double* const sums = mutable_ptr<double>(partial);
  const Tensor dweights = run.steps > 0 && needs[3] ? detail::new_tensor({blocks, n, h}, dtype)
                                                    : zeros({0, n, h}, {.dtype = dtype});
  parallel_rows(run.batch, block, [&](int64_t begin, int64_t end) {
    kernels::SequenceGradients<T> mine = g;
    double* const row = sums + begin / block * width;
    if (needs[3]) mine.dweight = mutable_ptr<T>(dweights) + begin / block * n * h;
    mine.dgain_ih = row;
    mine.dgain_hh = row + n;
    mine.dbias = row + 2 * n;
    mine.dbias_hh = row + 3 * n;
    mine.dgain_c = row + 4 * n;
    mine.dbias_c = row + 4 * n + h;
    kernels::recurrent_backward(s, mine, begin, end);
  });
  const auto total = [&](size_t input, int64_t from, int64_t size) {
    if (!needs[input]) return Tensor();
    Tensor out = detail::new_tensor({size}, dtype);
    for (int64_t j = 0; j < size; ++j) {
      double sum = 0;
      for (int64_t b = 0; b < blocks; ++b) sum += sums[b * width + from + j];
      mutable_ptr<T>(out)[j] = T(sum);
    }
    return out;
  };
  return {dp,
          needs[1] ? dstate : Tensor(),
          needs[2] ? dcell : Tensor(),
          needs[3] ? sum_of_blocks(dweights) : Tensor(),
          total(4, 2 * n, n),
          total(5, 3 * n, n),
          total(6, 0, n),
          total(7, n, n),
          total(8, 4 * n, h),
          total(9, 4 * n + h, h)};
}

}  // namespace

Gradients recurrent(const Tensor& p, const Tensor& h0, const Tensor& c0, const RecurrentParameters& w,
                    const RecurrentOptions& options) {
  check(p, h0, c0, w, options);
  const Gradients inputs = recurrent_inputs(p, h0, c0, w);
  if (reference_mode()) return recurrent_composed(inputs, options);
  Run run = start(p, h0, c0, w, options);
  detail::dispatch_float(op_name(options.cell), p.dtype(), [&]<class T>(T) { forward<T>(run); });

  const auto last = [&](const Tensor& states) {
    const int64_t at = options.reverse ? 0 : run.steps * run.batch * run.hidden;
    return detail::new_view(states, {run.batch, run.hidden}, {run.hidden, 1}, at);
  };
  const Shape shape{run.steps, run.batch, run.hidden};
  const Tensor output = run.output.defined() ? run.output
                                             : detail::new_view(run.states, shape, contiguous_strides(shape),
                                                                run.first_output());
  Gradients out{output, last(run.states)};
  if (run.is_lstm()) out.push_back(last(run.cells));

  detail::SmallVector<detail::TensorPointer, 8> pointers;
  detail::SmallVector<Saved, 16> saved;
  for (const Tensor& x : inputs) {
    pointers.push_back(x);
    saved.push_back(Saved(x));
  }
  const size_t n_inputs = saved.size();
  for (const Tensor* x : {&run.states, &run.cells, &run.gates, &run.q, &run.norms})
    saved.push_back(Saved(*x));
  return record(op_name(options.cell), out, pointers,
                [run, saved, n_inputs](const Gradients& dy, Needs needs) -> Gradients {
                  for (const Saved& x : saved) x.get();  // checks that none was changed
                  if (is_recording()) {
                    Gradients in;
                    for (size_t i = 0; i < n_inputs; ++i) in.push_back(saved[i]);
                    return replay([options = run.options](
                                      const Gradients& in) { return recurrent_composed(in, options); },
                                  in, dy);
                  }
                  return detail::dispatch_float("recurrent", run.p.dtype(),
                                                [&]<class T>(T) { return backward<T>(run, dy, needs); });
                });
}

}  // namespace tapegrad
