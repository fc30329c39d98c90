// Attention, positions and Transformer layers as modules. PyTorch's numbers are in attention_golden_test.cpp.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

#include "support/message.h"

namespace tapegrad {

// A call with one input, as the kit makes it.
struct SelfAttention : nn::Module<SelfAttention> {
  nn::MultiheadAttention attention;
  explicit SelfAttention(nn::MultiheadAttentionOptions options)
      : attention(add("attention", nn::MultiheadAttention(4, 2, options))) {}
  Tensor forward(const Tensor& x) { return attention(x, {.is_causal = true}); }
};
struct Decoder : nn::Module<Decoder> {
  nn::TransformerDecoderLayer layer;
  explicit Decoder(nn::TransformerOptions options) : layer(add("layer", nn::TransformerDecoderLayer(4, 2, options))) {}
  Tensor forward(const Tensor& x, const Tensor& memory) { return layer(x, memory, {.is_causal = true}); }
};

constexpr nn::TransformerOptions kSmall{.dim_feedforward = 6, .dropout = 0, .activation = nn::Activation::gelu};
nn::TransformerOptions small(bool norm_first, Norm norm, bool batch_first = false) {
  nn::TransformerOptions options = kSmall;
  options.norm_first = norm_first;
  options.norm = norm;
  options.batch_first = batch_first;
  return options;
}

constexpr ModuleTestOptions kBatchSecond = {.batch_axis = 1};  // [T, B, E]

TAPEGRAD_TEST_MODULE(MultiheadAttention, SelfAttention({.batch_first = true}), Shape{2, 3, 4});
TAPEGRAD_TEST_MODULE(MultiheadAttentionTimeFirst, SelfAttention({.bias = false}), kBatchSecond, Shape{3, 2, 4});
TAPEGRAD_TEST_MODULE(MultiheadAttentionRotary, SelfAttention({.batch_first = true, .rotary = true}), Shape{2, 3, 4});
TAPEGRAD_TEST_MODULE(MultiheadAttentionOfThree, nn::MultiheadAttention(4, 2, {.batch_first = true}), Shape{2, 3, 4},
                     Shape{2, 5, 4}, Shape{2, 5, 4});
TAPEGRAD_TEST_MODULE(TransformerEncoderLayer, nn::TransformerEncoderLayer(4, 2, small(true, Norm::layer, true)),
                     Shape{2, 3, 4});
TAPEGRAD_TEST_MODULE(TransformerEncoderPostRms, nn::TransformerEncoder(4, 2, 2, small(false, Norm::rms)), kBatchSecond,
                     Shape{3, 2, 4});
TAPEGRAD_TEST_MODULE(TransformerDecoderLayer, Decoder(small(false, Norm::layer)), kBatchSecond, Shape{3, 2, 4},
                     Shape{5, 2, 4});
TAPEGRAD_TEST_MODULE(TransformerDecoderLayerPre, Decoder(small(true, Norm::layer)), kBatchSecond, Shape{3, 2, 4},
                     Shape{5, 2, 4});
TAPEGRAD_TEST_MODULE(LearnedPositions, nn::LearnedPositions(5, 4), Shape{2, 3, 4});

namespace {

std::vector<std::string> names_of(const nn::ModuleBase& module) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : module.named_parameters()) names.push_back(name);
  return names;
}

TEST(MultiheadAttention, HasPyTorchsNames) {
  const std::vector<std::string> want{"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"};
  EXPECT_EQ(names_of(nn::MultiheadAttention(4, 2)), want);
}

TEST(TransformerEncoder, HasPyTorchsNames) {
  const std::vector<std::string> want{"layers.0.self_attn.in_proj_weight",
                                      "layers.0.self_attn.in_proj_bias",
                                      "layers.0.self_attn.out_proj.weight",
                                      "layers.0.self_attn.out_proj.bias",
                                      "layers.0.linear1.weight",
                                      "layers.0.linear1.bias",
                                      "layers.0.linear2.weight",
                                      "layers.0.linear2.bias",
                                      "layers.0.norm1.weight",
                                      "layers.0.norm1.bias",
                                      "layers.0.norm2.weight",
                                      "layers.0.norm2.bias",
                                      "norm.weight",
                                      "norm.bias"};
  EXPECT_EQ(names_of(nn::TransformerEncoder(4, 2, 1, {.dim_feedforward = 6, .final_norm = true})), want);
}

TEST(MultiheadAttention, GivesItsWeightsOnRequest) {
  manual_seed(0);
  const nn::MultiheadAttention attention(4, 2, {.batch_first = true});
  const Tensor x = randn({2, 3, 4});
  const Tensor p = attention.weights(x, x, {.is_causal = true});
  EXPECT_EQ(p.shape(), (Shape{2, 2, 3, 3}));
  EXPECT_TENSOR_NEAR(sum(p, -1), ones({2, 2, 3}), 1e-6);
  EXPECT_TENSOR_NEAR(triu(p, 1), zeros({2, 2, 3, 3}), 0);
  const Tensor v = linear(x, narrow(attention.in_proj_weight, 0, 8, 4), narrow(attention.in_proj_bias, 0, 8, 4));
  const Tensor heads = matmul(p, v.reshape({2, 3, 2, 2}).transpose(1, 2)).transpose(1, 2).reshape({2, 3, 4});
  EXPECT_TENSOR_NEAR(attention.out_proj(heads), attention(x, {.is_causal = true}), 1e-6);
}

// Token by token and in pieces of two, with a cache, against all at once.
TEST(TransformerEncoder, DecodesWithACacheWhatItSaysAtOnce) {
  manual_seed(0);
  for (const bool rotary : {false, true}) {
    nn::TransformerOptions options = small(true, Norm::layer, true);
    options.rotary = rotary;
    const nn::TransformerEncoder encoder(4, 2, 2, options);
    const Tensor x = randn({3, 6, 4}), whole = encoder(x, {.is_causal = true});
    for (const int64_t piece : {1, 2}) {
      std::vector<nn::KeyValueCache> caches(2);
      Tensors parts;
      for (const Tensor& part : split(x, piece, 1)) parts.push_back(encoder(part, {.is_causal = true}, caches));
      EXPECT_EQ(caches[1].length(), 6);
      EXPECT_TENSOR_NEAR(concat(parts, 1), whole, 1e-5);
    }
  }
}

TEST(TransformerEncoder, LearnsNothingFromPadding) {
  manual_seed(0);
  const nn::TransformerEncoder encoder(4, 2, 2, small(true, Norm::layer, true));
  const Tensor lengths = from_vector(std::vector<int64_t>{4, 2}, {2});
  Tensor x = randn({2, 4, 4});
  const Tensor before = encoder(x, {.lengths = lengths}).clone();
  x[1][3].fill_(1e30);
  EXPECT_TENSOR_NEAR(narrow(encoder(x, {.lengths = lengths})[1], 0, 0, 2), narrow(before[1], 0, 0, 2), 0);
}

TEST(TransformerEncoderLayer, DropsInTrainingOnly) {
  manual_seed(0);
  nn::TransformerEncoderLayer layer(4, 2, {.dim_feedforward = 6, .dropout = 0.5});
  const Tensor x = randn({3, 2, 4});
  EXPECT_GT(max(abs(layer(x) - layer(x))).item(), 0);
  layer.eval();
  EXPECT_TENSOR_NEAR(layer(x), layer(x), 0);
}

TEST(Positions, AreSinesOfGeometricWavelengths) {
  const Tensor table = nn::sinusoidal_positions(3, 4, {.dtype = float64});
  for (int64_t t = 0; t < 3; ++t) {
    EXPECT_NEAR(table[t][0].item(), std::sin(double(t)), 1e-15);
    EXPECT_NEAR(table[t][1].item(), std::cos(double(t)), 1e-15);
    EXPECT_NEAR(table[t][2].item(), std::sin(double(t) / 100), 1e-15);
    EXPECT_NEAR(table[t][3].item(), std::cos(double(t) / 100), 1e-15);
  }
}

TEST(Rotary, LeavesLengthsAndMakesProductsDependOnDistance) {
  manual_seed(0);
  const Tensor q = randn({1, 8}, {.dtype = float64}), k = randn({1, 8}, {.dtype = float64});
  const auto product = [&](int64_t i, int64_t j) {
    return sum(nn::rotary(q, {.first = i}) * nn::rotary(k, {.first = j})).item();
  };
  EXPECT_NEAR(norm(nn::rotary(q, {.first = 7})).item(), norm(q).item(), 1e-12);
  EXPECT_NEAR(product(3, 1), product(12, 10), 1e-12);
  EXPECT_GT(std::abs(product(3, 1) - product(3, 2)), 1e-3);
  EXPECT_TENSOR_NEAR(nn::rotary(q), q, 0);
  const Tensor x = tensor({{1, 0}, {1, 0}}, {.dtype = float64});
  EXPECT_TENSOR_NEAR(nn::rotary(x)[1], tensor({std::cos(1.0), std::sin(1.0)}, {.dtype = float64}), 1e-15);
}

TEST(MultiheadAttention, SaysWhatDoesNotFit) {
  EXPECT_EQ(message<ValueError>([] { nn::MultiheadAttention(6, 4); }),
            "MultiheadAttention: num_heads must divide embed_dim, got 4 and 6");
  EXPECT_EQ(message<ValueError>([] { nn::MultiheadAttention(6, 2, {.rotary = true}); }),
            "MultiheadAttention: rotary needs an even size of a head, got 3");
  EXPECT_EQ(message<ValueError>([] { nn::MultiheadAttention(4, 2, {.dropout = 2}); }),
            "MultiheadAttention: dropout must be in [0, 1], got 2");
  nn::KeyValueCache cache;
  const nn::MultiheadAttention attention(4, 2);
  const Tensor x = zeros({3, 2, 4});
  EXPECT_EQ(message<ShapeError>([&] {
              attention(zeros({3, 4}));
            }),
            "MultiheadAttention: inputs must be [T, B, 4], got [3, 4]");
  EXPECT_EQ(message<ValueError>([&] { attention(x, x, x, {.cache = &cache}); }),
            "MultiheadAttention: a cache is for self-attention. Hint: give x alone");
  EXPECT_EQ(message<ValueError>([&] { attention(x, {.lengths = zeros({2}, {.dtype = int64}), .cache = &cache}); }),
            "MultiheadAttention: a cache has no lengths");
}

TEST(Transformer, SaysWhatDoesNotFit) {
  EXPECT_EQ(message<ValueError>([] { nn::TransformerEncoder(4, 2, 0); }),
            "TransformerEncoder: num_layers must be at least 1, got 0");
  EXPECT_EQ(message<ValueError>([] { nn::TransformerEncoderLayer(4, 2, {.norm = Norm::batch}); }),
            "Transformer: norm must be layer or rms");
  EXPECT_EQ(message<ValueError>([] { nn::TransformerEncoderLayer(4, 2, {.layer_norm_eps = -1}); }),
            "Transformer: layer_norm_eps must be at least 0, got -1");
  std::vector<nn::KeyValueCache> caches(1);
  EXPECT_EQ(message<ValueError>([&] {
              nn::TransformerEncoder(4, 2, 2)(zeros({3, 2, 4}), {}, caches);
            }),
            "TransformerEncoder: 2 layers need as many caches, got 1");
  EXPECT_EQ(message<ValueError>([] { nn::sinusoidal_positions(3, 5); }),
            "sinusoidal_positions: length must be positive and size positive and even, got 3 and 5");
  EXPECT_EQ(message<ShapeError>([] {
              nn::rotary(zeros({3, 5}));
            }),
            "rotary: x must be [..., T, E] with an even E, got [3, 5]");
  EXPECT_EQ(message<IndexError>([] {
              nn::LearnedPositions(5, 4)(zeros({3, 4}), 3);
            }),
            "LearnedPositions: positions must be in [0, 5), got 3 from 3 on");
  EXPECT_EQ(message<ShapeError>([] {
              nn::LearnedPositions(5, 4)(zeros({3, 2}));
            }),
            "LearnedPositions: x must be [..., T, 4], got [3, 2]");
  EXPECT_EQ(message<ValueError>([] { nn::LearnedPositions(0, 4); }),
            "LearnedPositions: max_length and embedding_dim must be positive, got 0 and 4");
}

}  // namespace
}  // namespace tapegrad
