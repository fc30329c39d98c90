#include <tapegrad/nn/attention.h>
#include <tapegrad/nn/init.h>
#include <tapegrad/nn/position.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

void check_sizes(int64_t embed_dim, int64_t num_heads, const MultiheadAttentionOptions& options) {
  constexpr const char* type = "MultiheadAttention";
  if (embed_dim < 1 || num_heads < 1 || embed_dim % num_heads != 0)
    fail<ValueError>(type, "num_heads must divide embed_dim, got {} and {}", num_heads, embed_dim);
  if (options.rotary && embed_dim / num_heads % 2 != 0)
    fail<ValueError>(type, "rotary needs an even size of a head, got {}", embed_dim / num_heads);
  if (!(options.dropout >= 0 && options.dropout <= 1))
    fail<ValueError>(type, "dropout must be in [0, 1], got {}", options.dropout);
}

AttentionOptions options_of(const AttentionCall& call) {
  const Tensor& mask = call.attn_mask;
  return {.attn_mask = mask.defined() && mask.dtype() == boolean ? logical_not(mask) : mask,
          .is_causal = call.is_causal,
          .lengths = call.lengths};
}

}  // namespace

MultiheadAttention::MultiheadAttention(int64_t embed_dim, int64_t num_heads, MultiheadAttentionOptions options)
    : in_proj_weight(add_parameter("in_proj_weight", (check_sizes(embed_dim, num_heads, options),
                                                      init::xavier_uniform(empty({3 * embed_dim, embed_dim}))))),
      in_proj_bias(add_parameter("in_proj_bias", options.bias ? zeros({3 * embed_dim}) : Tensor())),
      out_proj(add("out_proj", Linear(embed_dim, embed_dim, {.bias = options.bias}))),
      num_heads_(num_heads),
      options_(options) {
  if (options.bias) out_proj.bias.zero_();
  describe(fmt::format("{}, {}{}{}{}{}", embed_dim, num_heads,
                       options.dropout > 0 ? fmt::format(", dropout={}", options.dropout) : "",
                       options.bias ? "" : ", bias=false", options.batch_first ? ", batch_first=true" : "",
                       options.rotary ? ", rotary=true" : ""));
}

// `parts` projections of x from one on, of query (0), key (1) and value (2), each [B, num_heads, T, head size]: views.
Tensors MultiheadAttention::project(const Tensor& x, int64_t first, int64_t parts) const {
  const int64_t d = in_proj_weight.size(1);
  if (x.dim() != 3 || x.size(2) != d)
    fail<ShapeError>("", "inputs must be {}, {}], got {}", options_.batch_first ? "[B, T" : "[T, B", d, x.shape());
  const auto part = [&](const Tensor& p) { return p.defined() && parts < 3 ? narrow(p, 0, first * d, parts * d) : p; };
  const Tensor projected = linear(x, part(in_proj_weight), part(in_proj_bias));
  Tensors out = split(projected.reshape({x.size(0), x.size(1), parts * num_heads_, d / num_heads_}), num_heads_, 2);
  for (Tensor& head : out) head = options_.batch_first ? head.transpose(1, 2) : head.permute({1, 2, 0, 3});
  return out;
}

Tensor MultiheadAttention::attend(Tensor q, Tensor k, Tensor v, const AttentionCall& call) const {
  AttentionOptions options = options_of(call);
  options.dropout_p = is_training() ? options_.dropout : 0;
  if (call.cache) options.first_query = call.cache->length();
  if (options_.rotary) {
    q = rotary(q, {.first = options.first_query});
    k = rotary(k, {.first = options.first_query});
  }
  if (call.cache) {
    if (call.cache->keys.defined()) {
      k = concat({call.cache->keys, k}, 2);
      v = concat({call.cache->values, v}, 2);
    }
    call.cache->keys = k;
    call.cache->values = v;
  }
  const Tensor y = scaled_dot_product_attention(q, k, v, options);  // [B, H, L, E]
  const Tensor rows = options_.batch_first ? y.transpose(1, 2) : y.permute({2, 0, 1, 3});
  return out_proj(rows.reshape({rows.size(0), rows.size(1), in_proj_weight.size(1)}));
}

Tensor MultiheadAttention::forward(const Tensor& x, const AttentionCall& call) {
  if (call.cache && call.lengths.defined()) fail<ValueError>("", "a cache has no lengths");
  const Tensors parts = project(x, 0, 3);
  return attend(parts[0], parts[1], parts[2], call);
}

Tensor MultiheadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const AttentionCall& call) {
  if (call.cache) fail<ValueError>("", "a cache is for self-attention. Hint: give x alone");
  return attend(project(query, 0, 1)[0], project(key, 1, 1)[0], project(value, 2, 1)[0], call);
}

Tensor MultiheadAttention::weights(const Tensor& query, const Tensor& key, const AttentionCall& call) const {
  Tensor q = project(query, 0, 1)[0], k = project(key, 1, 1)[0];
  if (options_.rotary) {
    q = rotary(q);
    k = rotary(k);
  }
  // The mean of rows of the identity is the weights themselves.
  const int64_t keys = k.size(2);
  const Tensor one = eye(keys, {.dtype = k.dtype()}).expand({k.size(0), num_heads_, keys, keys});
  return scaled_dot_product_attention(q, k, one, options_of(call));
}

}  // namespace tapegrad::nn
