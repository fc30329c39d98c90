#include <tapegrad/nn/transformer.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

MultiheadAttentionOptions attention_options(const TransformerOptions& o, bool rotary) {
  return {.dropout = o.dropout, .bias = o.bias, .batch_first = o.batch_first, .rotary = rotary};
}

std::string text(int64_t d_model, int64_t nhead, const TransformerOptions& o) {
  return fmt::format("{}, {}, dim_feedforward={}, dropout={}{}{}{}", d_model, nhead, o.dim_feedforward, o.dropout,
                     o.activation == Activation::gelu ? ", activation=gelu" : "",
                     o.batch_first ? ", batch_first=true" : "", o.norm_first ? ", norm_first=true" : "");
}

// The steps of a layer: x + part(norm(x)), or norm(x + part(x)); `part` is dropped out in training.
struct Steps {
  const TransformerOptions& o;
  bool training;

  template <class Part>
  Tensor residual(const Tensor& x, const TransformerNorm& norm, Part part) const {
    if (o.norm_first) return x + dropout(part(norm(x)), o.dropout, training);
    return norm(x + dropout(part(x), o.dropout, training));
  }
  Tensor feed_forward(const Tensor& x, const TransformerNorm& norm, const Linear& linear1,
                      const Linear& linear2) const {
    return residual(x, norm, [&](const Tensor& z) {
      const Tensor h = linear1(z);
      return linear2(dropout(o.activation == Activation::gelu ? gelu(h) : relu(h), o.dropout, training));
    });
  }
};

}  // namespace

TransformerNorm::TransformerNorm(int64_t d_model, const TransformerOptions& options)
    : eps_(options.layer_norm_eps), rms_(options.norm == tapegrad::Norm::rms) {
  if (!rms_ && options.norm != tapegrad::Norm::layer) fail<ValueError>("Transformer", "norm must be layer or rms");
  if (!(eps_ >= 0)) fail<ValueError>("Transformer", "layer_norm_eps must be at least 0, got {}", eps_);
  weight = add_parameter("weight", ones({d_model}));
  bias = add_parameter("bias", !rms_ && options.bias ? zeros({d_model}) : Tensor());
  describe(fmt::format("{}, {}", d_model, rms_ ? "rms" : "layer"));
}

Tensor TransformerNorm::forward(const Tensor& x) {
  const Shape& shape = weight.shape();
  return rms_ ? rms_norm(x, shape, weight, {.eps = eps_}) : layer_norm(x, shape, weight, bias, {.eps = eps_});
}

TransformerEncoderLayer::TransformerEncoderLayer(int64_t d_model, int64_t nhead, TransformerOptions options)
    : self_attn(add("self_attn", MultiheadAttention(d_model, nhead, attention_options(options, options.rotary)))),
      linear1(add("linear1", Linear(d_model, options.dim_feedforward, {.bias = options.bias}))),
      linear2(add("linear2", Linear(options.dim_feedforward, d_model, {.bias = options.bias}))),
      norm1(add("norm1", TransformerNorm(d_model, options))),
      norm2(add("norm2", TransformerNorm(d_model, options))),
      options_(options) {
  describe(text(d_model, nhead, options));
}

Tensor TransformerEncoderLayer::forward(const Tensor& x, const AttentionCall& call) {
  const Steps steps{options_, is_training()};
  const Tensor y = steps.residual(x, norm1, [&](const Tensor& z) { return self_attn(z, call); });
  return steps.feed_forward(y, norm2, linear1, linear2);
}

TransformerEncoder::TransformerEncoder(int64_t d_model, int64_t nhead, int64_t num_layers, TransformerOptions options) {
  if (num_layers < 1) fail<ValueError>("TransformerEncoder", "num_layers must be at least 1, got {}", num_layers);
  layers = add("layers", ModuleList<TransformerEncoderLayer>(
                             num_layers, [&](int64_t) { return TransformerEncoderLayer(d_model, nhead, options); }));
  if (options.final_norm) norm_ = add("norm", TransformerNorm(d_model, options));
}

Tensor TransformerEncoder::forward(const Tensor& x, const AttentionCall& call, std::span<KeyValueCache> caches) {
  if (!caches.empty() && int64_t(caches.size()) != layers.size())
    fail<ValueError>("", "{} layers need as many caches, got {}", layers.size(), caches.size());
  Tensor y = x;
  AttentionCall told = call;
  for (int64_t i = 0; i < layers.size(); ++i) {
    if (!caches.empty()) told.cache = &caches[size_t(i)];
    y = layers[i](y, told);
  }
  return norm_ ? (*norm_)(y) : y;
}

TransformerDecoderLayer::TransformerDecoderLayer(int64_t d_model, int64_t nhead, TransformerOptions options)
    : self_attn(add("self_attn", MultiheadAttention(d_model, nhead, attention_options(options, options.rotary)))),
      multihead_attn(add("multihead_attn", MultiheadAttention(d_model, nhead, attention_options(options, false)))),
      linear1(add("linear1", Linear(d_model, options.dim_feedforward, {.bias = options.bias}))),
      linear2(add("linear2", Linear(options.dim_feedforward, d_model, {.bias = options.bias}))),
      norm1(add("norm1", TransformerNorm(d_model, options))),
      norm2(add("norm2", TransformerNorm(d_model, options))),
      norm3(add("norm3", TransformerNorm(d_model, options))),
      options_(options) {
  describe(text(d_model, nhead, options));
}

Tensor TransformerDecoderLayer::forward(const Tensor& x, const Tensor& memory, const AttentionCall& call,
                                        const AttentionCall& memory_call) {
  const Steps steps{options_, is_training()};
  Tensor y = steps.residual(x, norm1, [&](const Tensor& z) { return self_attn(z, call); });
  y = steps.residual(y, norm2, [&](const Tensor& z) { return multihead_attn(z, memory, memory, memory_call); });
  return steps.feed_forward(y, norm3, linear1, linear2);
}

}  // namespace tapegrad::nn
