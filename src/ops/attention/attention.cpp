// Attention without a matrix of the size of all scores: docs/attention.md derives forward, backward and dropout,
// src/kernels/attention.cpp has the blocks.
//
// Saved: q, k, v, y, and m_i and 1 / l_i, from which backward makes p again: that costs less than to read it from memory.
// The mask of dropout is a function of its counter (dropout.cpp).
#include <cmath>
#include <limits>

#include "compute/fused.h"
#include "ops/dropout/dropout.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

constexpr const char* kOp = "scaled_dot_product_attention";

void check(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  for (const Tensor* x : {&q, &k, &v}) check_floating(kOp, *x);
  check_same_dtype(kOp, q, k);
  check_same_dtype(kOp, q, v);
  const int64_t rank = q.dim();
  bool fits = rank >= 2 && k.dim() == rank && v.dim() == rank && k.size(-1) == q.size(-1) && v.size(-2) == k.size(-2);
  for (int64_t axis = 0; fits && axis < rank - 2; ++axis)
    fits = q.size(axis) == k.size(axis) && q.size(axis) == v.size(axis);
  if (!fits)
    fail<ShapeError>(kOp, "q must be [..., L, E], k [..., S, E] and v [..., S, Ev], got {}, {} and {}", q.shape(),
                     k.shape(), v.shape());
  if (!(o.dropout_p >= 0 && o.dropout_p <= 1))
    fail<ValueError>(kOp, "dropout_p must be in [0, 1], got {}", o.dropout_p);
  if (o.first_query < 0) fail<ValueError>(kOp, "first_query must be at least 0, got {}", o.first_query);
  if (o.attn_mask.defined()) {
    Shape scores = q.shape();
    scores[rank - 1] = k.size(-2);
    const Tensor& mask = o.attn_mask;
    if (mask.dtype() != boolean && mask.dtype() != q.dtype())
      fail<DtypeError>(kOp, "attn_mask must be boolean or {} as q, got {}", q.dtype(), mask.dtype());
    if (mask.dim() > rank || broadcast_shape(kOp, mask.shape(), scores) != scores)
      fail<ShapeError>(kOp, "attn_mask must broadcast to [..., L, S] {}, got {}", scores, mask.shape());
  }
  if (!o.lengths.defined()) return;
  if (rank < 3 || o.lengths.shape() != Shape{q.size(0)} || o.lengths.dtype() != int64)
    fail<ShapeError>(kOp, "lengths must be int64 [B] for q [B, ..., L, E] {}, got {} {}", q.shape(), o.lengths.dtype(),
                     o.lengths.shape());
  const Tensor lengths = o.lengths.contiguous();
  for (int64_t row = 0; row < q.size(0); ++row)
    if (const int64_t n = lengths.data<int64_t>()[size_t(row)]; n < 0 || n > k.size(-2))
      fail<IndexError>(kOp, "lengths must be in [0, {}], got {} for row {}", k.size(-2), n, row);
}

// What it says in operations, with all scores at once.
Tensor composed(const Tensors& in, const compute::Attention& o) {
  const Tensor &q = in[0], &mask = in[3];
  Tensor k = in[1], v = in[2];
  const int64_t queries = q.size(-2), keys = k.size(-2);
  const Tensor at = arange(keys);
  Tensor seen = le(at, arange(queries).unsqueeze(1) + double(o.diagonal));
  if (in[4].defined()) {
    Shape shape = q.shape();
    for (int64_t axis = 1; axis < q.dim(); ++axis) shape[axis] = 1;
    const Tensor exists = lt(at, in[4].reshape(shape));  // [B, 1, ..., 1, S]
    const Tensor rows = exists.transpose(-1, -2);
    k = where(rows, k, 0.0);  // padding may hold NaN, and 0 * NaN is NaN
    v = where(rows, v, 0.0);
    seen = logical_and(seen, exists);
  }
  Tensor s = matmul(q, k.transpose(-1, -2)) * o.scale;
  if (mask.defined() && mask.dtype() == boolean) seen = logical_and(seen, mask);
  if (mask.defined() && mask.dtype() != boolean) s = s + mask;
  if (keys == 0) return matmul(s, v);
  const double unseen = -std::numeric_limits<double>::infinity();
  s = where(seen, s, unseen);
  const Tensor blind = eq(amax(s.detach(), -1, {.keepdim = true}), unseen);
  Tensor p = where(blind, 0.0, softmax(where(blind, 0.0, s), -1));
  if (o.dropout) {
    Shape shape = s.shape();
    shape[s.dim() - 1] = compute::attention_dropout_row(keys);
    p = p * narrow(compute::dropout(ones(shape, {.dtype = q.dtype()}), *o.dropout), -1, 0, keys);
  }
  return matmul(p, v);
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options) {
  check(q, k, v, options);
  const int64_t keys = k.size(-2), width = std::max<int64_t>(q.size(-1), 1);
  compute::Attention kernel{.scale = options.scale.value_or(1 / std::sqrt(double(width))),
                            .diagonal = options.is_causal ? options.first_query : keys,
                            .dropout = {}};
  if (options.dropout_p > 0)
    kernel.dropout =
        draw_mask(options.dropout_p, q.numel() / width * compute::attention_dropout_row(keys), options.generator);
  const compute::DropoutMask drop = kernel.dropout.value_or(compute::DropoutMask{0, 0, 0, 1});
  return fused(
      kOp, {q, k, v, options.attn_mask, options.lengths},
      {{"scale", kernel.scale},
       {"is_causal", options.is_causal},
       {"first_query", options.first_query},
       {"dropout_p", options.dropout_p},
       {"key", int64_t(drop.key)},
       {"first", int64_t(drop.first)},
       {"keep", int64_t(drop.keep)}},
      [kernel](const Tensors& in) { return composed(in, kernel); }, kernel);
}

}  // namespace tapegrad
