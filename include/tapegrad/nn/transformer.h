// The layers of a Transformer: attention and a network of two layers on each position, with a residual around either.
//
//   nn::TransformerEncoder encoder(64, 4, 6, {.dim_feedforward = 256, .batch_first = true, .norm_first = true});
//   const Tensor y = encoder(x, {.is_causal = true});      // x [B, T, 64]; a GPT is this and an embedding before it
#pragma once
#include <span>

#include <tapegrad/nn/attention.h>
#include <tapegrad/nn/container.h>
#include <tapegrad/recurrent_options.h>

namespace tapegrad::nn {

/// What stands between the two layers of the network on each position.
enum class Activation { relu, gelu };

struct TransformerOptions {
  int64_t dim_feedforward = 2048;  ///< features between linear1 and linear2
  double dropout = 0.1;            ///< in [0, 1], in training: of attention weights, the activation and each residual
  Activation activation = Activation::relu;
  double layer_norm_eps = 1e-5;  ///< of the norms
  bool batch_first = false;      ///< x [B, T, d_model], not [T, B, d_model]: no copy is made then
  bool norm_first = false;       ///< pre-LN: norms stand before attention and feed-forward, not behind the residual
  bool bias = true;              ///< of linear layers and norms
  tapegrad::Norm norm = tapegrad::Norm::layer;  ///< or rms
  bool final_norm = false;  ///< of TransformerEncoder: a "norm" behind the last layer, which pre-LN needs
  bool rotary = false;      ///< turns queries and keys of self-attention by their positions: see rotary()
};

/// LayerNorm or RMSNorm: weight [d] and, of a layer norm, bias [d].
struct TransformerNorm : Module<TransformerNorm> {
  TransformerNorm(int64_t d_model, const TransformerOptions& options);
  Tensor forward(const Tensor& x);

  Parameter weight, bias;

 private:
  double eps_;
  bool rms_;
};

/// Self-attention, then feed-forward:
///
///     post-LN (default)   x = norm1(x + attention(x))     y = norm2(x + feed_forward(x))
///     pre-LN (norm_first) x = x + attention(norm1(x))     y = x + feed_forward(norm2(x))
///     feed_forward(x) = linear2(activation(linear1(x)))
///
/// **Shape**: x [T, B, d_model], y the same; with batch_first [B, T, d_model].
/// **Parameters**: PyTorch's: self_attn.in_proj_weight, ..., linear1.weight, linear2.weight, norm1.weight,
/// norm2.weight, biases.
/// **Throws** ValueError for options out of range and another norm; else as MultiheadAttention.
/// **Gradient**: to x and all parameters. Pre-LN has a path on which dy reaches x unchanged, so deep stacks learn
/// without a warm-up.
/// **Differences from PyTorch**: AttentionCall in place of src_mask and src_key_padding_mask; norm and rotary are additions.
/// **Source**: Vaswani et al. 2017, arXiv:1706.03762, section 3.1; pre-LN: Xiong et al. 2020, arXiv:2002.04745.
struct TransformerEncoderLayer : Module<TransformerEncoderLayer> {
  TransformerEncoderLayer(int64_t d_model, int64_t nhead, TransformerOptions options = {});
  Tensor forward(const Tensor& x, const AttentionCall& call = {});
  Tensor operator()(const Tensor& x, const AttentionCall& call = {}) const { return Module::operator()(x, call); }

  MultiheadAttention self_attn;
  Linear linear1, linear2;
  TransformerNorm norm1, norm2;

 private:
  TransformerOptions options_;
};

/// num_layers of those, one after the other, "layers.0", "layers.1", ..., and with final_norm a last "norm": with pre-LN the
/// sum of all residuals would go out as it is without.
///
/// `caches`, one a layer, hold what was read: x is then what follows, [.., new positions, ..], with is_causal.
/// **Throws** ValueError for another number of caches than layers and for num_layers below 1; else as the layer.
/// **Differences from PyTorch**: made from sizes, so that each layer begins with numbers of its own.
struct TransformerEncoder : Module<TransformerEncoder> {
  TransformerEncoder(int64_t d_model, int64_t nhead, int64_t num_layers, TransformerOptions options = {});
  Tensor forward(const Tensor& x, const AttentionCall& call = {}, std::span<KeyValueCache> caches = {});
  Tensor operator()(const Tensor& x, const AttentionCall& call = {}, std::span<KeyValueCache> caches = {}) const {
    return Module::operator()(x, call, caches);
  }

  ModuleList<TransformerEncoderLayer> layers;

 private:
  std::optional<TransformerNorm> norm_;
};

/// Self-attention, attention to what an encoder made of another sequence, `memory`, then feed-forward, each with a
/// residual and a norm as in TransformerEncoderLayer: norm1, norm2 and norm3.
///
/// **Shape**: x [T, B, d_model], memory [S, B, d_model], y as x; with batch_first [B, T, d_model] and [B, S, d_model].
/// `call` is told to self-attention, where is_causal is usual, `memory_call` to the other.
/// **Parameters**: PyTorch's: self_attn, multihead_attn, linear1, linear2, norm1, norm2, norm3.
/// **Throws**, **Gradient**, **Source**: as TransformerEncoderLayer.
struct TransformerDecoderLayer : Module<TransformerDecoderLayer> {
  TransformerDecoderLayer(int64_t d_model, int64_t nhead, TransformerOptions options = {});
  Tensor forward(const Tensor& x, const Tensor& memory, const AttentionCall& call = {},
                 const AttentionCall& memory_call = {});
  Tensor operator()(const Tensor& x, const Tensor& memory, const AttentionCall& call = {},
                    const AttentionCall& memory_call = {}) const {
    return Module::operator()(x, memory, call, memory_call);
  }

  MultiheadAttention self_attn, multihead_attn;
  Linear linear1, linear2;
  TransformerNorm norm1, norm2, norm3;

 private:
  TransformerOptions options_;
};

}  // namespace tapegrad::nn
