// Attention: every option that differs in code.
#include "ops/samples.h"

namespace tapegrad {

Samples scaled_dot_product_attention_samples() {
  const auto attend = [](AttentionOptions options) {
    return [options](const Inputs& in) { return scaled_dot_product_attention(in[0], in[1], in[2], options); };
  };
  const auto of = [](int64_t queries, int64_t keys) {
    return Inputs{normal({2, 2, queries, 3}), normal({2, 2, keys, 3}), normal({2, 2, keys, 2})};
  };
  const Tensor mask = from_vector(
      std::vector<bool>{true, false, true, false, false, false, true, true, false, false, true, true}, {3, 4});
  const Tensor lengths = from_vector(std::vector<int64_t>{3, 0}, {2});
  Samples out{
      {.label = "plain", .f = attend({}), .inputs = of(3, 4)},
      {.label = "one query", .f = attend({.scale = 0.7}), .inputs = of(1, 4)},
      {.label = "causal", .f = attend({.is_causal = true}), .inputs = of(4, 4)},
      {.label = "causal, behind a cache", .f = attend({.is_causal = true, .first_query = 2}), .inputs = of(3, 5)},
      {.label = "boolean mask, a query that sees nothing", .f = attend({.attn_mask = mask}), .inputs = of(3, 4)},
      {.label = "lengths", .f = attend({.lengths = lengths}), .inputs = of(3, 4)},
      {.label = "all that hides",
       .f = attend({.attn_mask = mask, .is_causal = true, .lengths = lengths}),
       .inputs = of(3, 4)},
      {.label = "dropout", .f = attend({.dropout_p = 0.4, .is_causal = true}), .inputs = of(4, 4)},
      {.label = "no keys", .f = attend({}), .inputs = of(2, 0), .zero_gradient = true},
      {.label = "no queries", .f = attend({}), .inputs = of(0, 2), .zero_gradient = true},
      {.label = "without a batch", .f = attend({}), .inputs = {normal({3, 2}), normal({4, 2}), normal({4, 2})}},
      {.label = "heads inside rows",
       .f =
           [](const Inputs& in) {
             const Tensor x = in[0].reshape({2, 3, 3, 4}).transpose(1, 2);  // [B, 3 parts, T, E]
             const Tensors parts = split(x, 1, 1);
             return scaled_dot_product_attention(parts[0], parts[1], parts[2], {.is_causal = true});
           },
       .inputs = {normal({2, 3, 12})}},
  };
  for (const Shape& shape : {Shape{3, 4}, Shape{2, 1, 1, 4}, Shape{2, 3, 1}})
    out.push_back(
        {.label = "additive mask " + to_string(shape),
         .f = [](const Inputs& in) { return scaled_dot_product_attention(in[0], in[1], in[2], {.attn_mask = in[3]}); },
         .inputs = {normal({2, 2, 3, 3}), normal({2, 2, 4, 3}), normal({2, 2, 4, 2}), normal(shape)}});
  return out;
}

}  // namespace tapegrad
