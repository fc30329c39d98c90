// Attention with several heads as a module. The operation is scaled_dot_product_attention(), ops/attention.h.
#pragma once
#include <tapegrad/nn/linear.h>
#include <tapegrad/ops/attention.h>

namespace tapegrad::nn {

/// The keys and values of the positions that were read: what decoding one token after the other goes on from. Empty at first.
struct KeyValueCache {
  Tensor keys, values;  ///< [B, num_heads, S, head size]
  int64_t length() const { return keys.defined() ? keys.size(2) : 0; }
};

/// What a call may be told besides its inputs.
struct AttentionCall {
  /// Broadcasts to [B, num_heads, L, S]. Boolean: true *hides* the key, as in PyTorch's module and against its function;
  /// floating: added to the scores
  Tensor attn_mask = {};
  bool is_causal = false;          ///< a query sees the keys up to its own position
  Tensor lengths = {};             ///< int64 [B]: the keys that count, in [0, S]; the others are padding
  KeyValueCache* cache = nullptr;  ///< of self-attention: the keys before x's, which x's are appended to
};

struct MultiheadAttentionOptions {
  double dropout = 0;  ///< in [0, 1], of the weights, in training
  bool bias = true;
  bool batch_first = false;  ///< inputs and output [B, T, features], not [T, B, features]: no copy is made then
  bool rotary = false;       ///< turns queries and keys by their positions: see rotary()
};

/// Attention of several heads, each over its part of the features:
///
///     q, k, v = W_in x + b_in, cut into heads     head_h = softmax(q_h k_h^T / sqrt(E)) v_h     E = embed_dim / num_heads
///     y = W_out [head_1 ... head_H] + b_out
///
/// **Shape**: query [L, B, embed_dim], key and value [S, B, embed_dim], y as query; with batch_first [B, L, ...].
/// **Parameters**: PyTorch's: in_proj_weight [3 embed_dim, embed_dim] for q, k and v one below the other, begun as
/// xavier_uniform, in_proj_bias [3 embed_dim] of zeros, out_proj.weight and out_proj.bias (zeros).
/// **Throws** ValueError unless num_heads divides embed_dim, for a dropout outside [0, 1], rotary with an odd head
/// size, and a cache beside key and value or with lengths; else as scaled_dot_product_attention().
/// **Gradient**, **Numerics**: as scaled_dot_product_attention().
/// **Differences from PyTorch**: returns y alone, the weights on request; `lengths` in place of key_padding_mask;
/// inputs always have a batch; no kdim, vdim, add_bias_kv and add_zero_attn; is_causal needs no mask beside it; rotary
/// and cache are additions.
/// **Source**: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
///
///     nn::MultiheadAttention attention(64, 4, {.batch_first = true});
///     const Tensor y = attention(x, {.is_causal = true});                // x [B, T, 64]
struct MultiheadAttention : Module<MultiheadAttention> {
  MultiheadAttention(int64_t embed_dim, int64_t num_heads, MultiheadAttentionOptions options = {});
  /// Self-attention: query, key and value are x, and one product projects all three.
  Tensor forward(const Tensor& x, const AttentionCall& call = {});
  Tensor forward(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionCall& call = {});
  /// The call; spelled out, so that options can be given in braces.
  Tensor operator()(const Tensor& x, const AttentionCall& call = {}) const { return Module::operator()(x, call); }
  Tensor operator()(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionCall& call = {}) const {
    return Module::operator()(query, key, value, call);
  }
  /// The weights p [B, num_heads, L, S] of each head, without dropout: to look at.
  Tensor weights(const Tensor& query, const Tensor& key, const AttentionCall& call = {}) const;

  Parameter in_proj_weight, in_proj_bias;
  Linear out_proj;

 private:
  Tensors project(const Tensor& x, int64_t first, int64_t parts) const;
  Tensor attend(Tensor q, Tensor k, Tensor v, const AttentionCall& call) const;
  int64_t num_heads_;
  MultiheadAttentionOptions options_;
};

}  // namespace tapegrad::nn
