// Layers against PyTorch's numbers.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "support/golden.h"

namespace tapegrad {
namespace {

// The module with the state of the case before the call.
template <class M>
M loaded(const Golden& g, M module) {
  module.to(float64);
  std::map<std::string, Tensor> state;
  for (const char* kind : {"param/", "buffer/"})
    for (const std::string& name : g.names(kind)) state[name] = g[kind + name];
  module.load_state_dict(state);
  return module;
}

// Output, gradients of input and parameters, and buffers after the call.
template <class M>
void expect_module(const Golden& g, M module) {
  std::map<std::string, Tensor> leaves;
  for (const auto& [name, tensor] : module.named_parameters()) leaves[name] = tensor;
  Tensor input = g["input"];
  if (is_floating(input.dtype())) leaves["input"] = input = g.leaf("input");
  Tape tape;
  expect_gradients_match(g, {module(input)}, tape, leaves);
  for (const auto& [name, tensor] : module.named_buffers()) {
    if (is_floating(tensor.dtype()))
      expect_golden(g, "after/" + name, tensor);
    else
      EXPECT_EQ(tensor.item(), g["after/" + name].item()) << g.name << " " << name;
  }
}

TEST(LayerNorm, MatchesPyTorch) {
  for (const char* name : {"basic", "two_dims", "no_affine", "large_mean", "one_feature", "constant_row"}) {
    const Golden g = golden(std::string("layer_norm/") + name);
    const nn::LayerNormOptions options{.eps = g.number("eps"), .elementwise_affine = g.has("param/weight")};
    expect_module(g, loaded(g, nn::LayerNorm(g.sizes("normalized_shape"), options)));
  }
}

TEST(BatchNorm1d, MatchesPyTorch) {
  for (const char* name : {"train_2d", "train_3d", "eval_2d", "cumulative", "no_tracking"}) {
    const Golden g = golden(std::string("batch_norm/") + name);
    nn::BatchNorm1dOptions options{.eps = g.number("eps"), .track_running_stats = g.has("buffer/running_mean")};
    if (g.settings.count("momentum"))
      options.momentum = g.text("momentum") == "none" ? std::nullopt : std::optional<double>(g.number("momentum"));
    auto module = loaded(g, nn::BatchNorm1d(g.integer("num_features"), options));
    module.train(g.text("mode") == "train");
    expect_module(g, module);
  }
}

TEST(BatchNorm, OfImagesMatchesPyTorch) {
  const Golden g = golden("batch_norm/train_4d");
  const Tensor mean = g["buffer/running_mean"].clone(), var = g["buffer/running_var"].clone();
  expect_matches(g, {"input", "param/weight", "param/bias"}, [&](const std::vector<Tensor>& in) {
    return std::vector{batch_norm(in[0], mean, var, in[1], in[2],
                                  {.training = true, .momentum = g.number("momentum"), .eps = g.number("eps")})};
  });
  expect_golden(g, "after/running_mean", mean);
  expect_golden(g, "after/running_var", var);
}

TEST(BatchNorm2d, MatchesPyTorch) {
  const Golden g = golden("batch_norm/train_4d");
  expect_module(g, loaded(g, nn::BatchNorm2d(g.integer("num_features"),
                                             {.eps = g.number("eps"), .momentum = g.number("momentum")})));
}

TEST(GroupNorm, MatchesPyTorch) {
  const Golden g = golden("group_norm/basic");
  expect_module(g,
                loaded(g, nn::GroupNorm(g.integer("num_groups"), g.integer("num_channels"), {.eps = g.number("eps")})));
}

TEST(InstanceNorm2d, MatchesPyTorch) {
  const Golden g = golden("instance_norm/basic");
  expect_module(g, loaded(g, nn::InstanceNorm2d(g.integer("num_features"),
                                                {.eps = g.number("eps"), .affine = g.has("param/weight")})));
}

// A setting that is one number or two.
Size2 pair(const Golden& g, const char* setting, int64_t otherwise) {
  if (!g.settings.count(setting)) return otherwise;
  const Shape sizes = g.sizes(setting);
  return {sizes.front(), sizes.back()};
}

TEST(Conv2d, MatchesPyTorch) {
  for (const char* name : {"basic", "dilated_grouped"}) {
    const Golden g = golden(std::string("conv2d/") + name);
    const nn::Conv2dOptions options{.stride = pair(g, "stride", 1),
                                    .padding = pair(g, "padding", 0),
                                    .dilation = pair(g, "dilation", 1),
                                    .groups = g.settings.count("groups") ? g.integer("groups") : 1};
    expect_module(g, loaded(g, nn::Conv2d(g.integer("in_channels"), g.integer("out_channels"),
                                          pair(g, "kernel_size", 0), options)));
  }
}

TEST(MaxPool2d, MatchesPyTorch) {
  const Golden g = golden("max_pool2d/basic");
  expect_module(g, loaded(g, nn::MaxPool2d(pair(g, "kernel_size", 0))));
}

TEST(AvgPool2d, MatchesPyTorch) {
  const Golden g = golden("avg_pool2d/basic");
  expect_module(g, loaded(g, nn::AvgPool2d(pair(g, "kernel_size", 0),
                                           {.stride = pair(g, "stride", 0), .padding = pair(g, "padding", 0)})));
}

TEST(Linear, MatchesPyTorch) {
  for (const char* name : {"basic", "batched_no_bias"}) {
    const Golden g = golden(std::string("linear/") + name);
    expect_module(
        g, loaded(g, nn::Linear(g.integer("in_features"), g.integer("out_features"), {.bias = g.has("param/bias")})));
  }
}

TEST(Embedding, MatchesPyTorch) {
  const Golden g = golden("embedding/padding");
  expect_module(g, loaded(g, nn::Embedding(g.integer("num_embeddings"), g.integer("embedding_dim"),
                                           {.padding_idx = g.integer("padding_idx")})));
}

}  // namespace
}  // namespace tapegrad
