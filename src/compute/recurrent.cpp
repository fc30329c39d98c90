#include "compute/recurrent.h"

#include <algorithm>

#include "compute/copy.h"
#include "compute/reduction.h"
#include "kernels/gemm/gemm.h"
#include "kernels/recurrent/recurrent.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

namespace {

using detail::mutable_ptr;
using detail::mutable_ptr_or_null;
using detail::plain;

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

// Entry i of the states, [B, H].
Tensor row(const Tensor& states, int64_t i) {
  const Shape shape{states.size(1), states.size(2)};
  return detail::new_view(states, shape, contiguous_strides(shape), i * shape.numel());
}

Tensor plain_or(const Tensor& x, const Shape& shape, double value, Dtype dtype) {
  return x.defined() ? plain(x) : full(shape, value, {.dtype = dtype});
}

// What forward and backward share: the inputs.
Run with_inputs(const Tensors& in, const RecurrentOptions& o) {
  const Dtype dtype = in[0].dtype();
  Run run;
  run.options = o;
  run.steps = in[0].size(0);
  run.batch = in[0].size(1);
  run.hidden = in[3].size(1);
  run.width = in[0].size(2);
  run.options.lengths = plain(o.lengths);
  run.p = plain(in[0]);
  run.weight = plain(in[3]);
  run.bias = plain_or(in[4], {run.width}, 0, dtype);
  if (run.is_gru()) run.bias_hh = plain_or(in[5], {run.width}, 0, dtype);
  if (run.normed()) {
    run.gain_ih = plain_or(in[6], {run.width}, 1, dtype);
    run.gain_hh = plain_or(in[7], {run.width}, 1, dtype);
    run.gain_c = plain_or(in[8], {run.hidden}, 1, dtype);
    run.bias_c = plain_or(in[9], {run.hidden}, 0, dtype);
  }
  return run;
}

// The state before the first step: x, or zeros.
void put_first(const Tensor& x, const Run& run, const Tensor& states) {
  const int64_t first = run.options.reverse ? run.steps : 0;
  const Tensor place = row(states, first);
  copy_into(x.defined() ? x : zeros({}, {.dtype = states.dtype()}), place);
}

// Memory for what forward makes, the states with their beginning.
void make_room(Run& run, const Tensor& h0, const Tensor& c0) {
  const Dtype dtype = run.p.dtype();
  const Shape& projected = run.p.shape();
  const int64_t rows = run.steps * run.batch;
  run.states = detail::new_tensor({run.steps + 1, run.batch, run.hidden}, dtype);
  put_first(h0, run, run.states);
  if (run.is_lstm()) {
    run.cells = detail::new_tensor(run.states.shape(), dtype);
    put_first(c0, run, run.cells);
  }
  if (run.options.lengths.defined())
    run.output = detail::new_tensor({run.steps, run.batch, run.hidden}, dtype);
  if (run.is_lstm() || run.is_gru()) run.gates = detail::new_tensor(projected, dtype);
  if (run.normed() || run.is_gru()) run.q = detail::new_tensor(projected, dtype);
  run.norms =
      detail::new_tensor({run.normed() ? rows * kernels::norms_per_row(run.options.cell) : 0, 2}, dtype);
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
void run_forward(const Run& run) {
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
  return parts.size(0) == 1 ? row(parts, 0)
                            : reduce_sum("recurrent", parts, {"recurrent", parts.shape(), 0}, false, 1);
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

// The gradients in the order of the inputs.
template <class T>
Gradients run_backward(const Run& run, const Gradients& dy, Needs needs) {
  const Dtype dtype = run.p.dtype();
  kernels::Sequence<T> s = sequence<T>(run);
  kernels::SequenceGradients<T> g{};
  const int64_t n = run.width, h = run.hidden;
  const Tensor packed = detail::new_tensor({kernels::packed_size<T>(n, h)}, dtype);
  g.weight = kernels::pack_b(false, n, h, mutable_ptr<T>(run.weight), h, mutable_ptr<T>(packed));
  const Tensor doutput = plain(dy[0]);
  g.doutput = mutable_ptr_or_null<T>(doutput);
  const auto copied = [&](const Tensor& x) {
    return x.defined() ? detail::contiguous_copy(x) : zeros({run.batch, h}, {.dtype = dtype});
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

Tensors Recurrent::forward(const Tensors& in, Tensors* kept) const {
  Run run = with_inputs(in, options);
  make_room(run, in[1], in[2]);
  detail::dispatch_float("recurrent", run.p.dtype(), [&]<class T>(T) { run_forward<T>(run); });
  if (kept) *kept = {run.states, run.cells, run.gates, run.q, run.norms};
  const int64_t last = options.reverse ? 0 : run.steps;
  const Shape shape{run.steps, run.batch, run.hidden};
  if (!run.output.defined())
    run.output = detail::new_view(run.states, shape, contiguous_strides(shape), run.first_output());
  Tensors out{run.output, row(run.states, last)};
  if (run.is_lstm()) out.push_back(row(run.cells, last));
  return out;
}

Gradients Recurrent::backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const {
  Run run = with_inputs(in, options);
  run.states = kept[0];
  run.cells = kept[1];
  run.gates = kept[2];
  run.q = kept[3];
  run.norms = kept[4];
  return detail::dispatch_float("recurrent", run.p.dtype(),
                                [&]<class T>(T) { return run_backward<T>(run, dy, needs); });
}

}  // namespace tapegrad::compute
