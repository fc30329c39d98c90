#include <algorithm>

#include "compute/arrays.h"
#include "compute/fused.h"
#include "kernels/norm/norm.h"
#include "kernels/recurrent/recurrent.h"

namespace tapegrad::compute {

namespace {

using detail::mutable_ptr;
using detail::mutable_ptr_or_null;
using detail::plain;

// What forward leaves for backward, in the order of `kept`.
enum { kStates, kCells, kGates, kQ, kNorms };

// What the kernels are told, and the tensors that it points into.
template <class T>
struct Run {
  kernels::Sequence<T> s;
  Dtype dtype;
  int64_t width, block, blocks;
  Tensors held;

  Run(const Tensors& in, const RecurrentOptions& o, const Tensors& kept) : dtype(in[0].dtype()), width(in[0].size(2)) {
    const int64_t hidden = in[3].size(1);
    const bool normed = o.norm != Norm::none;
    const Tensor lengths = plain(o.lengths);
    held.push_back(lengths);
    s = {.cell = o.cell,
         .norm = o.norm,
         .placement = o.placement,
         .eps = o.eps,
         .reverse = o.reverse,
         .steps = in[0].size(0),
         .batch = in[0].size(1),
         .hidden = hidden,
         .lengths = mutable_ptr_or_null<int64_t>(lengths),
         .p = hold(plain(in[0])),
         .weight = {},
         .gain_ih = parameter(normed, in[6], width, 1),
         .gain_hh = parameter(normed, in[7], width, 1),
         .bias = parameter(true, in[4], width, 0),
         .bias_hh = parameter(o.cell == RecurrentCell::gru, in[5], width, 0),
         .gain_c = parameter(normed, in[8], hidden, 1),
         .bias_c = parameter(normed, in[9], hidden, 0),
         .states = hold(kept[kStates]),
         .cells = hold(kept[kCells]),
         .output = nullptr,
         .gates = hold(kept[kGates]),
         .q = hold(kept[kQ]),
         .norms = reinterpret_cast<kernels::RowNorm<T>*>(hold(kept[kNorms])),
         .workspace = nullptr};
    block = kernels::recurrent_block(s);
    blocks = (s.batch + block - 1) / block;
    // For every block: the worker threads then ask the pool for nothing, whoever takes which block.
    s.workspace = hold(detail::new_tensor({blocks, kernels::recurrent_workspace(s)}, dtype));
  }

  T* hold(const Tensor& x) {
    held.push_back(x);
    return mutable_ptr_or_null<T>(x);
  }
  // Ones (gains) or zeros (biases) stand for what is not given.
  T* parameter(bool used, const Tensor& x, int64_t size, double value) {
    if (!used) return nullptr;
    return hold(x.defined() ? plain(x) : full({size}, value, {.dtype = dtype}));
  }
  // The weights for products with [k, n], as they lie or transposed.
  kernels::PackedB<T> packed(bool transposed, int64_t k, int64_t n, const Tensor& weight) {
    T* memory = hold(detail::new_tensor({kernels::packed_size<T>(k, n)}, dtype));
    return kernels::pack_b(transposed, k, n, hold(plain(weight)), s.hidden, memory);
  }
};

// Entry i of the states, [B, H].
Tensor entry(const Tensor& states, int64_t i) {
  const Shape shape{states.size(1), states.size(2)};
  return detail::new_view(states, shape, contiguous_strides(shape), i * shape.numel());
}

// Where dp goes. The kernel writes a row of it after the last use of that row of the gates. So where these are large
// and nobody will ask for them again, dp takes their memory: it is in cache, and new memory would push more of
// what is still to be read out. A small dp comes from the pool, as warm.
Tensor memory_for_dp(const Tensor& p, const Tensor& gates, Needs needs) {
  constexpr int64_t kLarge = 4 << 20;  // bytes; measured, see docs/design.md
  if (needs.again || !gates.defined() || gates.numel() * int64_t(item_size(gates.dtype())) < kLarge)
    return detail::new_tensor(p.shape(), p.dtype());
  ++gates.impl()->storage->version;  // should this backward fail, another one finds them changed
  return gates;
}

// The gradients in the order of the inputs.
template <class T>
Gradients gradients(Run<T> run, const Tensors& in, const Gradients& dy, const Tensor& dp, Needs needs) {
  const int64_t n = run.width, h = run.s.hidden;
  const auto copied = [&](const Tensor& x) {
    return x.defined() ? detail::contiguous_copy(x) : zeros({run.s.batch, h}, {.dtype = run.dtype});
  };
  const Tensor doutput = plain(dy[0]), dstate = copied(dy[1]), dcell = run.s.cells ? copied(dy[2]) : Tensor();
  kernels::SequenceGradients<T> g{};
  g.weight = run.packed(false, n, h, in[3]);
  g.doutput = mutable_ptr_or_null<T>(doutput);
  g.dstate = mutable_ptr<T>(dstate);
  g.dcell = mutable_ptr_or_null<T>(dcell);
  g.dp = mutable_ptr<T>(dp);

  // One row of sums a block, for inputs 4 to 9, and one matrix for the weights.
  const int64_t width = 4 * n + 2 * h;
  const Tensor partial = zeros({run.blocks, width}, {.dtype = float64});
  const Tensor dweights = detail::new_tensor({run.s.steps > 0 && needs[3] ? run.blocks : 0, n, h}, run.dtype);
  parallel_rows(run.s.batch, run.block, [&](int64_t begin, int64_t end) {
    kernels::SequenceGradients<T> mine = g;
    mine.sums = mutable_ptr<double>(partial) + begin / run.block * width;
    if (needs[3]) mine.dweight = mutable_ptr<T>(dweights) + begin / run.block * n * h;
    kernels::recurrent_backward(run.s, mine, begin, end);
  });

  Gradients out{dp, needs[1] ? dstate : Tensor(), needs[2] ? dcell : Tensor(), Tensor()};
  if (needs[3])
    out[3] = dweights.size(0) == 1 ? entry(dweights, 0)
                                   : reduce_sum("recurrent", dweights, {"recurrent", dweights.shape(), 0}, 1);
  const Tensor sums = detail::new_tensor({width}, run.dtype);
  kernels::sum_partials(run.blocks, width, mutable_ptr<double>(partial), mutable_ptr<T>(sums));
  for (int64_t from = 0; out.size() < 10;) {
    const int64_t size = out.size() < 8 ? n : h;
    const bool needed = needs[out.size()];
    out.push_back(needed ? detail::contiguous_copy(detail::new_view(sums, {size}, {1}, from)) : Tensor());
    from += size;
  }
  out.push_back(Tensor());
  return out;
}

}  // namespace

Tensors Recurrent::forward(const Tensors& in, Tensors* kept) const {
  const Dtype dtype = in[0].dtype();
  const int64_t steps = in[0].size(0), batch = in[0].size(1), hidden = in[3].size(1);
  const int64_t first = options.reverse ? steps : 0, last = steps - first;
  const bool normed = options.norm != Norm::none, lstm = options.cell == RecurrentCell::lstm,
             gru = options.cell == RecurrentCell::gru;
  const auto memory = [&](bool wanted, const Shape& shape) {
    return wanted ? detail::new_tensor(shape, dtype) : Tensor();
  };
  // [T + 1, B, H], the one before the first step filled in.
  const auto states = [&](bool wanted, const Tensor& initial) {
    const Tensor all = memory(wanted, {steps + 1, batch, hidden});
    if (wanted) copy_into(initial.defined() ? initial : zeros({}, {.dtype = dtype}), entry(all, first));
    return all;
  };
  const int64_t norms = normed ? steps * batch * kernels::norms_per_row(options.cell) : 0;
  const Tensors made{states(true, in[1]), states(lstm, in[2]), memory(lstm || gru, in[0].shape()),
                     memory(normed || gru, in[0].shape()), memory(true, {norms, 2})};
  const Shape shape{steps, batch, hidden};
  const Tensor output = options.lengths.defined() ? memory(true, shape)
                                                  : detail::new_view(made[kStates], shape, contiguous_strides(shape),
                                                                     options.reverse ? 0 : batch * hidden);
  detail::dispatch_float("recurrent", dtype, [&]<class T>(T) {
    Run<T> run(in, options, made);
    if (run.s.lengths) run.s.output = mutable_ptr<T>(output);  // else the states are the output
    run.s.weight = run.packed(true, hidden, run.width, in[3]);
    parallel_rows(batch, run.block, [&](int64_t begin, int64_t end) { kernels::recurrent_forward(run.s, begin, end); });
  });
  if (kept) *kept = made;
  Tensors out{output, entry(made[kStates], last)};
  if (lstm) out.push_back(entry(made[kCells], last));
  return out;
}

Gradients Recurrent::backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const {
  const Tensor dp = memory_for_dp(in[0], kept[kGates], needs);
  return detail::dispatch_float("recurrent", in[0].dtype(),
                                [&]<class T>(T) { return gradients(Run<T>(in, options, kept), in, dy, dp, needs); });
}

}  // namespace tapegrad::compute
