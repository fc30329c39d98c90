#include "training/workloads.h"

namespace tapegrad::testing {

namespace {

Workload chain() {
  const Tensor x = randn({70000}, {.requires_grad = true}), w = randn({70000}, {.requires_grad = true}),
               b = randn({70000}, {.requires_grad = true});
  auto optimizer = std::make_shared<optim::SGD>(std::vector<Tensor>{x, w, b}, optim::SGDOptions{.lr = 1e-3});
  return {"chain",
          [=] {
            optimizer->zero_grad();
            Tape tape;
            Tensor y = x;
            for (int i = 0; i < 5; ++i) y = tanh(y * w + b);
            tape.backward(mean(y));
            optimizer->step();
          },
          {x, w, b}};
}

// Large enough that products, norms and the optimizer are split over threads.
template <class Norm>
Workload mlp(const std::string& name, Norm norm) {
  nn::Sequential net;
  net.push_back(nn::Linear(200, 300));
  norm(net, 300);
  net.push_back(nn::ReLU());
  net.push_back(nn::Dropout(0.1));
  net.push_back(nn::Linear(300, 10));
  auto optimizer = std::make_shared<optim::Adam>(net.parameters(), optim::AdamOptions{.lr = 1e-3});
  const Tensor x = randn({256, 200}), y = randint(0, 10, {256});
  return {name,
          [=] {
            optimizer->zero_grad();
            Tape tape;
            tape.backward(cross_entropy(net(x), y));
            optimizer->step();
          },
          net.parameters()};
}

template <class Layer>
Workload recurrent(const std::string& name, Layer layer, bool ragged) {
  nn::Linear head(64, 10);
  std::vector<Tensor> weights = layer.parameters();
  for (const Tensor& p : head.parameters()) weights.push_back(p);
  auto optimizer = std::make_shared<optim::SGD>(weights, optim::SGDOptions{.lr = 0.01, .momentum = 0.9});
  const Tensor x = randn({12, 40, 28}), y = randint(0, 10, {40});
  const Tensor lengths = ragged ? randint(1, 13, {40}) : Tensor();
  return {name,
          [=] {
            optimizer->zero_grad();
            Tape tape;
            tape.backward(cross_entropy(head(mean(layer(x, {}, {.lengths = lengths}).output, 0)), y));
            clip_grad_norm(weights, 1.0);
            optimizer->step();
          },
          weights};
}

// Every kind of convolution and pooling, and the norms of images.
Workload images() {
  nn::Sequential net(nn::Conv2d(3, 16, 3, {.padding = 1}), nn::BatchNorm2d(16), nn::ReLU(), nn::MaxPool2d(2),
                     nn::Conv2d(16, 16, 3, {.stride = 2, .padding = 1, .groups = 16}), nn::GroupNorm(4, 16),
                     nn::Conv2d(16, 24, 1), nn::ConvTranspose2d(24, 8, 2, {.stride = 2}), nn::InstanceNorm2d(8),
                     nn::AvgPool2d(2), nn::Upsample({.scale_factor = 2, .mode = Interpolation::bilinear}),
                     nn::AdaptiveAvgPool2d({3, 3}));
  nn::Linear head(72, 10);
  std::vector<Tensor> weights = net.parameters();
  for (const Tensor& p : head.parameters()) weights.push_back(p);
  auto optimizer = std::make_shared<optim::Adam>(weights, optim::AdamOptions{.lr = 1e-3});
  const Tensor x = randn({20, 3, 16, 16}), y = randint(0, 10, {20});
  return {"images",
          [=] {
            optimizer->zero_grad();
            Tape tape;
            tape.backward(cross_entropy(head(net(x).flatten(1)), y));
            optimizer->step();
          },
          weights};
}

Workload charlm() {
  nn::Embedding embed(30, 48);
  nn::LSTM lstm(48, 64, {.norm = nn::Norm::layer});
  nn::Linear head(64, 30);
  std::vector<Tensor> weights = embed.parameters();
  for (const auto& list : {lstm.parameters(), head.parameters()})
    for (const Tensor& p : list) weights.push_back(p);
  auto optimizer = std::make_shared<optim::AdamW>(weights, optim::AdamWOptions{.lr = 1e-3});
  const Tensor x = randint(0, 30, {16, 40}), y = randint(0, 30, {16 * 40});
  auto state = std::make_shared<nn::LSTM::State>();
  return {"charlm",
          [=] {
            Tape tape;
            auto [output, next] = lstm(embed(x), *state);
            const Tensor loss = cross_entropy(head(output).flatten(0, 1), y);
            optimizer->zero_grad();
            tape.backward(loss);
            clip_grad_norm(weights, 1.0);
            optimizer->step();
            *state = next;
          },
          weights};
}

// Two blocks of queries, a ragged batch, dropout.
Workload gpt() {
  nn::Embedding embed(30, 32);
  nn::TransformerEncoder blocks(32, 2, 2,
                                {.dim_feedforward = 64,
                                 .dropout = 0.1,
                                 .activation = nn::Activation::gelu,
                                 .batch_first = true,
                                 .norm_first = true,
                                 .final_norm = true});
  nn::Linear head(32, 30);
  std::vector<Tensor> weights = embed.parameters();
  for (const auto& list : {blocks.parameters(), head.parameters()})
    for (const Tensor& p : list) weights.push_back(p);
  auto optimizer = std::make_shared<optim::AdamW>(weights, optim::AdamWOptions{.lr = 1e-3});
  const Tensor x = randint(0, 30, {4, 70}), y = randint(0, 30, {4 * 70}), lengths = randint(0, 71, {4});
  return {"gpt",
          [=] {
            Tape tape;
            const Tensor logits = head(blocks(embed(x), {.is_causal = true, .lengths = lengths}));
            optimizer->zero_grad();
            tape.backward(cross_entropy(logits.flatten(0, 1), y));
            optimizer->step();
          },
          weights};
}

}  // namespace

std::vector<std::function<Workload()>> workloads() {
  const auto seeded = [](auto make) {
    return [make] {
      manual_seed(0);
      return Workload(make());
    };
  };
  const auto none = [](nn::Sequential&, int64_t) {};
  const auto layer = [](nn::Sequential& net, int64_t n) { net.push_back(nn::LayerNorm(n)); };
  const auto batch = [](nn::Sequential& net, int64_t n) { net.push_back(nn::BatchNorm1d(n)); };
  return {
      seeded(chain),
      seeded([=] { return mlp("mlp", none); }),
      seeded([=] { return mlp("mlp layer", layer); }),
      seeded([=] { return mlp("mlp batch", batch); }),
      seeded([] { return recurrent("rnn", nn::RNN(28, 64), false); }),
      seeded([] { return recurrent("lstm", nn::LSTM(28, 64), false); }),
      seeded([] { return recurrent("gru", nn::GRU(28, 64), false); }),
      seeded([] { return recurrent("rnn layer", nn::RNN(28, 64, {.norm = nn::Norm::layer}), false); }),
      seeded([] { return recurrent("lstm layer", nn::LSTM(28, 64, {.norm = nn::Norm::layer}), true); }),
      seeded([] { return recurrent("gru rms", nn::GRU(28, 64, {.norm = nn::Norm::rms}), false); }),
      seeded(images),
      seeded(charlm),
      seeded(gpt),
  };
}

}  // namespace tapegrad::testing
