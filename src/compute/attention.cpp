#include <algorithm>

#include "compute/arrays.h"
#include "compute/fused.h"
#include "kernels/attention.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

namespace {

using kernels::Rows;

// Multiplications of a chunk of work, of some 20 microseconds.
constexpr int64_t kGrain = 1 << 19;

// x, or a copy of it where products cannot read its rows as they lie.
Tensor in_rows(const Tensor& x) {
  const int64_t width = x.size(-1), rows = x.size(-2);
  const bool lie = (x.strides().back() == 1 || width == 1) && (x.strides()[x.dim() - 2] >= width || rows == 1);
  return lie ? x : detail::plain(x);
}

// New memory for [..., rows of x, width], in which the last axes but one lie as they do in x: a projection has the heads
// inside a row, and its gradient then needs no transposed copy.
Tensor lying_as(const Tensor& x, int64_t width) {
  const int64_t rank = x.dim();
  Shape shape = x.shape();
  shape[rank - 1] = width;
  if (rank < 3 || x.strides()[rank - 3] >= x.strides()[rank - 2]) return detail::new_tensor(shape, x.dtype());
  std::swap(shape[rank - 3], shape[rank - 2]);
  return transpose(detail::new_tensor(shape, x.dtype()), rank - 3, rank - 2);
}

// The tensors of a call, and one head of them.
struct Heads {
  const Attention& options;
  Tensor q, k, v, mask, lengths, stats;
  Shape scores;  // [..., L, S]
  int64_t count;

  Heads(const Attention& options, const Tensors& in, const Tensor& stats)
      : options(options), q(in_rows(in[0])), k(in_rows(in[1])), v(in_rows(in[2])), stats(stats), scores(q.shape()) {
    scores[q.dim() - 1] = k.size(-2);
    count = 1;
    for (int64_t axis = 0; axis < q.dim() - 2; ++axis) count *= q.size(axis);
    if (in[3].defined()) {
      mask = broadcast_to(in[3], scores);
      // Elements of a row stand side by side, rows anywhere.
      if (scores.back() > 1 && mask.strides().back() != 1) mask = detail::plain(mask);
    }
    if (in[4].defined()) lengths = detail::plain(in[4]);
  }
  int64_t queries() const { return q.size(-2); }
  int64_t keys() const { return k.size(-2); }
  int64_t work(int64_t queries) const { return std::max<int64_t>(1, queries * keys() * (q.size(-1) + v.size(-1))); }

  template <class T>
  Rows<T> rows(const Tensor& x, int64_t index) const {
    if (!x.defined()) return {};
    auto* first = detail::mutable_ptr<std::remove_const_t<T>>(x);
    return {first + batch_offset(x, scores, index), x.strides()[x.dim() - 2]};
  }
  template <class T>
  kernels::AttentionHead<T> head(int64_t index) const {
    const bool chosen = mask.defined() && mask.dtype() == boolean;
    const int64_t row = attention_dropout_row(keys());
    T* kept = detail::mutable_ptr<T>(stats) + index * queries();
    return {.queries = queries(),
            .keys = lengths.defined() ? detail::ptr<int64_t>(lengths)[index / (count / q.size(0))] : keys(),
            .padded_keys = keys(),
            .width = q.size(-1),
            .value_width = v.size(-1),
            .scale = T(options.scale),
            .diagonal = options.diagonal,
            .q = rows<const T>(q, index),
            .k = rows<const T>(k, index),
            .v = rows<const T>(v, index),
            .bias = rows<const T>(chosen ? Tensor() : mask, index),
            .mask = rows<const uint8_t>(chosen ? mask : Tensor(), index),
            .dropout = options.dropout ? &*options.dropout : nullptr,
            .dropout_at = index * queries() * row,
            .dropout_step = row,
            .largest = kept,
            .inverse = kept + count * queries()};
  }
};

}  // namespace

int64_t attention_dropout_row(int64_t keys) {
  return (keys + kernels::dropout_block - 1) / kernels::dropout_block * kernels::dropout_block;
}

Tensor Attention::forward(const Tensors& in, Tensors* kept) const {
  const int64_t queries = in[0].size(-2);
  const Tensor y = lying_as(in[0], in[2].size(-1));
  const int64_t size = std::max<int64_t>(in[0].size(-1), 1);
  const Tensor stats = detail::new_tensor({2, in[0].numel() / size}, y.dtype());
  const Heads heads(*this, in, stats);
  const int64_t blocks = (queries + kernels::attention_queries - 1) / kernels::attention_queries;
  detail::dispatch_float("scaled_dot_product_attention", y.dtype(), [&]<class T>(T) {
    const int64_t work = heads.work(std::min(queries, kernels::attention_queries));
    parallel_rows(heads.count * blocks, kGrain / work, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        const int64_t index = at / blocks, first = at % blocks * kernels::attention_queries;
        kernels::attention(heads.head<T>(index), first, std::min(first + kernels::attention_queries, queries),
                           heads.rows<T>(y, index));
      }
    });
  });
  if (kept) *kept = {y, stats};
  return y;
}

Gradients Attention::backward(const Tensors& dys, const Tensors& in, const Tensors& kept, Needs needs) const {
  const Tensor dy = in_rows(dys[0]), &y = kept[0];
  const Heads heads(*this, in, kept[1]);
  Gradients out;
  out.resize(in.size());
  for (size_t i : {0, 1, 2})
    if (needs[i]) out[i] = lying_as(in[i], in[i].size(-1));
  if (needs[3] && in[3].defined() && in[3].dtype() != boolean) out[3] = detail::new_tensor(heads.scores, y.dtype());
  detail::dispatch_float("scaled_dot_product_attention", y.dtype(), [&]<class T>(T) {
    parallel_rows(heads.count, kGrain / heads.work(heads.queries()), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        kernels::attention_backward(
            heads.head<T>(i), heads.rows<const T>(y, i), heads.rows<const T>(dy, i),
            {heads.rows<T>(out[0], i), heads.rows<T>(out[1], i), heads.rows<T>(out[2], i), heads.rows<T>(out[3], i)});
    });
  });
  return out;
}

}  // namespace tapegrad::compute
