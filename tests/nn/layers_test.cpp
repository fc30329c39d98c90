// What the layers, containers and initializers promise.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "support/message.h"

namespace tapegrad {
namespace {

constexpr TensorOptions k64{.dtype = float64};

struct Encoder : nn::Module<Encoder> {
  nn::Linear fc1 = add("fc1", nn::Linear(64, 32));
  nn::LayerNorm norm1 = add("norm1", nn::LayerNorm(64));
  nn::BatchNorm1d norm2 = add("norm2", nn::BatchNorm1d(32));
  Tensor forward(const Tensor& x) { return norm2(fc1(norm1(x))); }
};
struct Model : nn::Module<Model> {
  Encoder encoder = add("encoder", Encoder());
  Tensor forward(const Tensor& x) { return encoder(x); }
};

TEST(Layers, ErrorsNameTheModuleByItsPath) {
  Model model;
  EXPECT_EQ(message<ShapeError>([&] {
              model(randn({8, 32}));
            }),
            "encoder.norm1 (LayerNorm): input must end in normalized_shape [64], got input [8, 32]. Hint: "
            "normalized_shape [32] would fit");
  EXPECT_EQ(message<ValueError>([&] {
              model(randn({1, 64}));
            }),
            "encoder.norm2 (BatchNorm1d): training needs more than one value in a channel, got "
            "input [1, 32]. Hint: a last batch of one is left out by DataLoader's {.drop_last = true}; call "
            "eval() to evaluate");
  EXPECT_EQ(message<ShapeError>([&] {
              model.encoder.norm2(randn({2, 5}));
            }),
            "norm2 (BatchNorm1d): input must be [N, 32] or [N, 32, L], got input [2, 5]");
  EXPECT_EQ(message<ShapeError>([&] {
              model.encoder.fc1(randn({8, 32}));
            }),
            "fc1 (Linear): input must end in in_features 64, got input [8, 32]");
}

TEST(Layers, RejectImpossibleSizesWhereTheyAreMade) {
  EXPECT_EQ(message<ValueError>([] { nn::Linear(-1, 2); }),
            "Linear: in_features and out_features must not be negative, got -1 and 2");
  EXPECT_EQ(message<ShapeError>([] { nn::LayerNorm(0); }),
            "LayerNorm: normalized_shape must have positive sizes, got [0]");
  EXPECT_EQ(message<ValueError>([] { nn::LayerNorm(3, {.eps = -1}); }), "LayerNorm: eps must be at least 0, got -1");
  EXPECT_EQ(message<ValueError>([] { nn::Dropout(1.5); }), "Dropout: p must be in [0, 1], got 1.5");
  EXPECT_EQ(message<ValueError>([] { nn::BatchNorm1d(3, {.momentum = 2}); }),
            "BatchNorm1d: momentum must be in [0, 1], got 2");
  EXPECT_EQ(message<IndexError>([] { nn::Embedding(3, 2, {.padding_idx = 3}); }),
            "Embedding: padding_idx must be in [-3, 3), got 3");
}

TEST(LayerNorm, RejectsWhatDoesNotFit) {
  EXPECT_EQ(message<ShapeError>([] {
              layer_norm(randn({4}), {2, 4});
            }),
            "layer_norm: input must end in normalized_shape [2, 4], got input [4]. Hint: it needs 2 axes or "
            "more");
  EXPECT_EQ(message<ShapeError>([] {
              layer_norm(randn({2, 4}), {4}, ones({3}));
            }),
            "layer_norm: weight must be normalized_shape [4], got [3]");
  EXPECT_EQ(message<ShapeError>([] {
              layer_norm(randn({2, 0}), {0});
            }),
            "layer_norm: normalized_shape must have axes, none of size 0, got [0]");
  EXPECT_EQ(message<DtypeError>([] {
              layer_norm(randn({2, 4}), {4}, ones({4}, k64));
            }),
            "layer_norm: both must have one dtype, got float32 and float64. Hint: convert one with "
            "x.to(float32)");
}

TEST(LayerNorm, BeginsWithGainOneAndBiasZero) {
  nn::LayerNorm norm({2, 3});
  EXPECT_TENSOR_NEAR(norm.weight.detach(), ones({2, 3}), 0);
  EXPECT_TENSOR_NEAR(norm.bias.detach(), zeros({2, 3}), 0);
  EXPECT_EQ(nn::LayerNorm(4, {.elementwise_affine = false}).parameters().size(), 0u);
  EXPECT_EQ(nn::LayerNorm(4, {.bias = false}).parameters().size(), 1u);
}

TEST(LayerNorm, TakesStridedAndEmptyInput) {
  nn::LayerNorm norm(5);
  const Tensor x = randn({5, 7});
  EXPECT_TENSOR_NEAR(norm(x.transpose(0, 1)), norm(x.transpose(0, 1).contiguous()), 0);
  Tape tape;
  const Tensor y = norm(empty({0, 5}));
  EXPECT_EQ(y.shape(), (Shape{0, 5}));
  EXPECT_TENSOR_NEAR(tape.gradient(sum(y), {norm.weight})[0], zeros({5}), 0);
}

TEST(BatchNorm1d, InEvaluationIsOneAffineMap) {
  nn::BatchNorm1d norm(4);
  norm.to(float64);
  for (int i = 0; i < 5; ++i) norm(3 * randn({16, 4}, k64) + 2);
  norm.eval();
  const Tensor x = randn({6, 4}, k64);
  const Tensor scale = norm.weight.detach() * rsqrt(norm.running_var + 1e-5);
  EXPECT_TENSOR_NEAR(norm(x), x * scale + (norm.bias.detach() - norm.running_mean * scale), 1e-12);
  EXPECT_EQ(norm(x).to_vector<double>(), norm(x).to_vector<double>());
}

TEST(BatchNorm1d, RunningMeanApproachesTheBatchGeometrically) {
  nn::BatchNorm1d norm(3);
  norm.to(float64);
  const Tensor x = randn({8, 3}, k64);
  const Tensor mu = mean(x, 0);
  const Tensor var = sum((x - mu) * (x - mu), 0) * (1.0 / 7);
  for (int k = 1; k <= 20; ++k) {
    norm(x);
    const double left = std::pow(0.9, k);
    EXPECT_TENSOR_NEAR(norm.running_mean, mu * (1 - left), 1e-13);
    EXPECT_TENSOR_NEAR(norm.running_var, var * (1 - left) + left, 1e-13);
  }
  EXPECT_EQ(norm.num_batches_tracked.item(), 20);
}

TEST(BatchNorm1d, CumulativeAverageIsTheMeanOfTheBatches) {
  nn::BatchNorm1d norm(2, {.momentum = std::nullopt});
  norm.to(float64);
  Tensor total = zeros({2}, k64);
  for (int k = 1; k <= 4; ++k) {
    const Tensor x = randn({5, 2}, k64);
    norm(x);
    total = total + mean(x, 0);
    EXPECT_TENSOR_NEAR(norm.running_mean, total * (1.0 / k), 1e-14);
  }
}

TEST(BatchNorm1d, MomentumOneCopiesTheBatch) {
  nn::BatchNorm1d norm(2, {.momentum = 1});
  const Tensor x = randn({9, 2});
  norm(x);
  EXPECT_TENSOR_NEAR(norm.running_mean, mean(x, 0), 1e-6);
}

TEST(BatchNorm1d, StatisticsMoveInTrainingOnly) {
  nn::BatchNorm1d norm(2);
  norm.eval();
  norm(randn({4, 2}));
  EXPECT_TENSOR_NEAR(norm.running_mean, zeros({2}), 0);
  norm.train();
  norm(empty({0, 2}));
  EXPECT_TENSOR_NEAR(norm.running_mean, zeros({2}), 0);
  EXPECT_TENSOR_NEAR(norm.running_var, ones({2}), 0);
  EXPECT_EQ(norm.num_batches_tracked.item(), 0);
  EXPECT_THROW(norm(randn({1, 2})), ValueError);
  EXPECT_TENSOR_NEAR(norm.running_mean, zeros({2}), 0);
  EXPECT_EQ(norm.num_batches_tracked.item(), 0);
  norm(randn({1, 2, 5}));
  EXPECT_EQ(norm.num_batches_tracked.item(), 1);
}

TEST(BatchNorm1d, RefusesACountOfBatchesThatWouldOverflow) {
  nn::BatchNorm1d norm(2, {.momentum = {}});
  StateDict state;
  for (const auto& [name, value] : norm.state_dict()) state[name] = value.clone();
  const int64_t most = int64_t(1) << 53;
  for (const int64_t count : {int64_t(-1), most + 1, std::numeric_limits<int64_t>::max()}) {
    state["num_batches_tracked"] = from_vector<int64_t>({count}, {});
    norm.load_state_dict(state);
    EXPECT_EQ(message<ValueError>([&] {
                norm(randn({4, 2}));
              }),
              fmt::format("BatchNorm1d: num_batches_tracked must be in [0, 9007199254740992], got {}", count));
    EXPECT_TENSOR_NEAR(norm.running_mean, zeros({2}), 0);
  }
  state["num_batches_tracked"] = from_vector<int64_t>({most}, {});
  norm.load_state_dict(state);
  norm(randn({4, 2}));
  EXPECT_EQ(norm.num_batches_tracked.to_vector<int64_t>()[0], most + 1);
}

TEST(BatchNorm1d, WithoutRunningStatisticsUsesTheBatchAlways) {
  nn::BatchNorm1d norm(3, {.track_running_stats = false});
  const Tensor x = randn({6, 3});
  const std::vector<float> training = norm(x).to_vector<float>();
  norm.eval();
  EXPECT_EQ(norm(x).to_vector<float>(), training);
  EXPECT_TRUE(norm.buffers().empty());
}

TEST(Embedding, ChecksIndicesAndLeavesThePaddingRow) {
  nn::Embedding embed(4, 3, {.padding_idx = -1});
  EXPECT_TENSOR_NEAR(embed.weight.detach()[3], zeros({3}), 0);
  const Tensor index = from_vector(std::vector<int64_t>{3, 0, 3, 0}, {2, 2});
  Tape tape;
  const Tensor d = tape.gradient(sum(embed(index)), {embed.weight})[0];
  EXPECT_TENSOR_NEAR(d, tensor({{2, 2, 2}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}}), 0);
  EXPECT_EQ(message<IndexError>([&] { embed(index + 1); }), "Embedding: index 0 must be in [0, 4), got 4");
  EXPECT_EQ(message<DtypeError>([&] { embed(zeros({2})); }),
            "Embedding: indices must be int64, got float32. Hint: convert them with index.to(int64)");
}

TEST(Dropout, KeepsTheMeanOfAMillionOnes) {
  manual_seed(11);
  for (double p : {0.1, 0.5, 0.8}) {
    const Tensor y = dropout(ones({1000, 1000}), p);
    EXPECT_NEAR(mean(y).item(), 1, 6 * std::sqrt(p / (1 - p) / 1e6)) << p;
  }
  EXPECT_NEAR(mean(nn::Dropout(0.5)(ones({1000, 1000}))).item(), 1, 2e-3 * 3);
}

TEST(Dropout, IsTheIdentityInEvaluation) {
  nn::Dropout drop(0.7);
  drop.eval();
  const Tensor x = randn({5, 5});
  EXPECT_EQ(drop(x).to_vector<float>(), x.to_vector<float>());
}

TEST(Dropout, HasTheSameMaskForTheSameSeedAndInBackward) {
  Tensor x = ones({100}).set_requires_grad();
  manual_seed(3);
  const std::vector<float> first = dropout(x, 0.5).to_vector<float>();
  manual_seed(3);
  Tape tape;
  const Tensor y = dropout(x, 0.5);
  EXPECT_EQ(y.to_vector<float>(), first);
  EXPECT_EQ(tape.gradient(sum(y), {x})[0].to_vector<float>(), first);
  EXPECT_NE(dropout(x, 0.5).to_vector<float>(), first);
}

TEST(Dropout, OfAllIsZeroAndOfNoneTheInput) {
  const Tensor x = randn({4});
  EXPECT_TENSOR_NEAR(dropout(x, 1), zeros({4}), 0);
  EXPECT_TENSOR_NEAR(dropout(x, 0), x, 0);
  EXPECT_EQ(message<ValueError>([&] { dropout(x, -0.1); }), "dropout: p must be in [0, 1], got -0.1");
}

TEST(Sequential, RunsItsPartsInOrderAndNamesThem) {
  nn::Sequential net(nn::Linear(4, 3), nn::ReLU(), nn::Linear(3, 2, {.bias = false}));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : net.named_parameters()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"0.weight", "0.bias", "2.weight"}));
  const Tensor x = randn({5, 4});
  EXPECT_TENSOR_NEAR(net(x), net.at<nn::Linear>(2)(relu(net.at<nn::Linear>(0)(x))), 0);
  EXPECT_EQ(message<IndexError>([&] { net.at<nn::ReLU>(3); }), "Sequential: it has 3 parts, got index 3");
  EXPECT_THROW(net.at<nn::Linear>(1), ValueError);
}

TEST(Sequential, CopiesShareAndClonesDoNot) {
  nn::Sequential net(nn::Linear(4, 4), nn::Residual(nn::Sequential(nn::LayerNorm(4), nn::Linear(4, 4))),
                     nn::BatchNorm1d(4));
  nn::Sequential shared = net, copy = net.clone();
  const Tensor x = randn({3, 4});
  net.eval();
  copy.eval();
  const std::vector<float> before = net(x).to_vector<float>();
  EXPECT_EQ(copy(x).to_vector<float>(), before);
  for (Tensor& p : net.parameters()) p.fill_(0.25);
  EXPECT_EQ(copy(x).to_vector<float>(), before);
  EXPECT_NE(net(x).to_vector<float>(), before);
  EXPECT_EQ(shared(x).to_vector<float>(), net(x).to_vector<float>());
  EXPECT_EQ(copy.parameters().size(), net.parameters().size());
  EXPECT_EQ(copy.at<nn::Linear>(0).weight.impl(), copy.parameters()[0].impl());
}

TEST(Residual, AddsItsInput) {
  nn::Residual block(nn::Linear(3, 3));
  const Tensor x = randn({2, 3});
  EXPECT_TENSOR_NEAR(block(x), x + linear(x, block.parameters()[0], block.parameters()[1]), 1e-6);
}

TEST(ModuleList, NamesItsModules) {
  nn::ModuleList<nn::Linear> list(2, [](int64_t i) { return nn::Linear(3, i + 1); });
  EXPECT_EQ(list.size(), 2);
  EXPECT_EQ(list.named_parameters()[2].first, "1.weight");
  nn::ModuleList<nn::Linear> copy = list.clone();
  EXPECT_NE(copy[1].weight.impl(), list[1].weight.impl());
  EXPECT_EQ(copy[1].weight.impl(), copy.parameters()[2].impl());
  EXPECT_EQ(message<IndexError>([&] { list[2]; }), "ModuleList: it has 2 parts, got index 2");
}

TEST(Activations, CallTheOperationsOfTheirNames) {
  const Tensor x = randn({3, 5});
  const nn::Sequential all(nn::ReLU(), nn::Tanh(), nn::Sigmoid(), nn::SiLU(), nn::Softplus(), nn::LeakyReLU(0.2),
                           nn::ELU(0.5), nn::GELU({.approximate = true}), nn::Softmax(0));
  EXPECT_TENSOR_NEAR(nn::Sigmoid()(x), sigmoid(x), 0);
  EXPECT_TENSOR_NEAR(nn::SiLU()(x), silu(x), 0);
  EXPECT_TENSOR_NEAR(nn::Softplus()(x), softplus(x), 0);
  EXPECT_TENSOR_NEAR(nn::LeakyReLU(0.2)(x), leaky_relu(x, 0.2), 0);
  EXPECT_TENSOR_NEAR(nn::ELU(0.5)(x), elu(x, 0.5), 0);
  EXPECT_TENSOR_NEAR(nn::GELU({.approximate = true})(x), gelu(x, {.approximate = true}), 0);
  EXPECT_TENSOR_NEAR(nn::Softmax(0)(x), softmax(x, 0), 0);
  EXPECT_TENSOR_NEAR(sum(all(x), 0), ones({5}), 1e-6);
  EXPECT_EQ(nn::Flatten()(randn({2, 3, 4})).shape(), (Shape{2, 12}));
  EXPECT_EQ(to_string(nn::Softmax(0)), "Softmax(axis=0)\n");
}

double deviation(const Tensor& x) {
  const Tensor d = x - mean(x);
  return std::sqrt(mean(d * d).item());
}

TEST(Init, HasTheMomentsOfItsDistribution) {
  manual_seed(17);
  const Tensor x = empty({400, 300}, k64);
  EXPECT_NEAR(deviation(nn::init::xavier_uniform(x)), std::sqrt(2.0 / 700), 3e-4);
  EXPECT_NEAR(deviation(nn::init::xavier_normal(x, {.gain = 2})), 2 * std::sqrt(2.0 / 700), 6e-4);
  EXPECT_NEAR(deviation(nn::init::kaiming_uniform(x)), std::sqrt(2.0 / 300), 4e-4);
  EXPECT_NEAR(deviation(nn::init::kaiming_normal(x, {.mode = nn::init::Fan::out})), std::sqrt(2.0 / 400), 4e-4);
  EXPECT_NEAR(deviation(nn::init::normal(x, 1, 3)), 3, 0.03);
  EXPECT_NEAR(mean(nn::init::normal(x, 1, 3)).item(), 1, 0.05);
  EXPECT_NEAR(mean(nn::init::uniform(x, 2, 4)).item(), 3, 0.01);
  EXPECT_NEAR(deviation(nn::init::kaiming_normal(empty({64, 8, 3, 3}, k64))), std::sqrt(2.0 / 72), 5e-3);
}

TEST(Init, OrthogonalHasOrthonormalRowsOrColumns) {
  const Tensor wide = nn::init::orthogonal(empty({5, 9}, k64), 2);
  EXPECT_TENSOR_NEAR(matmul(wide, wide.transpose(0, 1)), eye(5, k64) * 4, 1e-13);
  const Tensor tall = nn::init::orthogonal(empty({60, 40}, k64));
  EXPECT_TENSOR_NEAR(matmul(tall.transpose(0, 1), tall), eye(40, k64), 1e-13);
}

TEST(Init, ChronoSetsForgetAndInputGates) {
  const std::vector<double> b = nn::init::chrono(empty({400}, k64), 100).to_vector<double>();
  for (size_t j = 0; j < 100; ++j) {
    EXPECT_GE(b[100 + j], 0);
    EXPECT_LE(b[100 + j], std::log(99.0));
    EXPECT_EQ(b[j], -b[100 + j]);
    EXPECT_EQ(b[200 + j], 0);
    EXPECT_EQ(b[300 + j], 0);
  }
}

TEST(Init, RejectsWhatHasNoFans) {
  EXPECT_EQ(message<ShapeError>([] { nn::init::xavier_uniform(empty({3})); }),
            "xavier_uniform: fans need a weight [out, in, ...], got [3]. Hint: use uniform() or constant() for "
            "a bias");
  EXPECT_EQ(message<ShapeError>([] { nn::init::chrono(empty({6}), 10); }),
            "chrono: the bias of an LSTM has 4 * hidden_size elements, got [6]");
  EXPECT_EQ(message<ValueError>([] { nn::init::chrono(empty({8}), 2); }),
            "chrono: t_max must be greater than 2, got 2");
  nn::Linear fc(2, 2);
  Tape tape;
  EXPECT_THROW(nn::init::zeros(fc.weight), AutogradError);
}

TEST(Init, LinearBeginsAsInPyTorch) {
  manual_seed(1);
  nn::Linear fc(16, 1000);
  for (const Tensor& p : fc.parameters()) {
    double largest = 0;
    for (float value : p.to_vector<float>()) largest = std::max(largest, double(std::abs(value)));
    EXPECT_LE(largest, 0.25);
    EXPECT_GE(largest, 0.24);
  }
}

}  // namespace
}  // namespace tapegrad
