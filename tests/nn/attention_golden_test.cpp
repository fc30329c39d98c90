// Attention and Transformer layers against PyTorch's numbers.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "support/golden.h"

namespace tapegrad {
namespace {

template <class M, class Call>
void expect_case(const Golden& g, M module, Call call) {
  module.to(float64);
  std::map<std::string, Tensor> state, leaves;
  for (const std::string& name : g.names("param/")) state[name] = g["param/" + name];
  module.load_state_dict(state);
  for (const auto& [name, tensor] : module.named_parameters()) leaves[name] = tensor;
  const Tensor input = leaves["input"] = g.leaf("input");
  Tape tape;
  expect_gradients_match(g, {call(module, input)}, tape, leaves);
}

nn::MultiheadAttention attention_of(const Golden& g) {
  return nn::MultiheadAttention(g.integer("embed_dim"), g.integer("num_heads"), {.batch_first = true});
}

TEST(MultiheadAttention, MatchesPyTorch) {
  const Golden g = golden("attention/causal");
  expect_case(g, attention_of(g), [](const auto& module, const Tensor& x) { return module(x, {.is_causal = true}); });
}

TEST(MultiheadAttention, MatchesPyTorchWithAMaskAndThreeInputs) {
  const Golden g = golden("attention/causal");
  expect_case(g, attention_of(g), [](const auto& module, const Tensor& x) {
    const int64_t t = x.size(1);
    return module(x, x, x, {.attn_mask = gt(arange(t), arange(t).unsqueeze(1))});  // true hides
  });
}

TEST(MultiheadAttention, MatchesPyTorchWithTimeFirst) {
  const Golden g = golden("attention/causal");
  expect_case(g, nn::MultiheadAttention(g.integer("embed_dim"), g.integer("num_heads")),
              [](const auto& module, const Tensor& x) {
                return module(x.transpose(0, 1), {.is_causal = true}).transpose(0, 1);
              });
}

TEST(TransformerEncoderLayer, MatchesPyTorch) {
  for (const char* name : {"pre_norm", "post_norm"}) {
    const Golden g = golden(std::string("transformer/") + name);
    const bool gelu = g.text("activation") == "gelu";
    expect_case(g,
                nn::TransformerEncoderLayer(g.integer("d_model"), g.integer("nhead"),
                                            {.dim_feedforward = g.integer("dim_feedforward"),
                                             .dropout = 0,
                                             .activation = gelu ? nn::Activation::gelu : nn::Activation::relu,
                                             .batch_first = true,
                                             .norm_first = g.flag("norm_first")}),
                [](const auto& module, const Tensor& x) { return module(x); });
  }
}

}  // namespace
}  // namespace tapegrad
