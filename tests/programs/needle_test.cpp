// Carnegie Mellon's 10-714, "Deep Learning Systems", homework 2: the course's tests of modules and optimizers, with the
// numbers that they expect (dlsyscourse.org), on inputs from NumPy's generator.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <functional>
#include <memory>

using namespace tapegrad;
using data::NumpyRandom;

namespace {

// The course's inputs: multiples of 1/20 below 5, and labels, seeded by their shape.
uint32_t seed_of(const Shape& shape) { return uint32_t(shape.numel() * shape.size()); }
Tensor get_tensor(const Shape& shape) {
  return (NumpyRandom(seed_of(shape)).randint(0, 100, shape).to(float64) / 20).to(float32);
}
Tensor get_labels(int64_t n, int64_t classes) { return NumpyRandom(seed_of({n})).randint(0, classes, {n}); }

// The course's Linear: weights and bias are Kaiming-uniform, the bias with out_features for the fan, in this order.
nn::Linear linear(NumpyRandom& random, int64_t in, int64_t out) {
  nn::Linear layer(in, out);
  const auto kaiming = [&](const Shape& shape) {
    const double bound = std::sqrt(6.0 / double(shape[0]));
    return (random.rand(shape) * (2 * bound) - bound).to(float32);
  };
  layer.weight.copy_(kaiming({in, out}).transpose(0, 1));
  layer.bias.copy_(kaiming({out, 1}).squeeze(1));
  return layer;
}

using MakeModel = std::function<nn::Sequential(NumpyRandom&)>;

nn::Sequential two_layers(NumpyRandom& random) {
  nn::Sequential model;
  model.push_back(linear(random, 64, 32));
  model.push_back(nn::ReLU());
  model.push_back(linear(random, 32, 16));
  return model;
}
template <class Norm>
nn::Sequential with_norm(NumpyRandom& random, Norm norm = Norm(32)) {
  nn::Sequential model;
  model.push_back(linear(random, 64, 32));
  model.push_back(nn::ReLU());
  model.push_back(norm);
  model.push_back(linear(random, 32, 16));
  return model;
}

// Trains on 32 batches of 32 and returns the last loss; step() must not touch the gradients.
template <class Optimizer>
double epochs(nn::Sequential& model, Optimizer& optimizer, int count = 1) {
  const Tensor x = get_tensor({1024, 64}), y = get_labels(1024, 16);
  double last = 0;
  for (int epoch = 0; epoch < count; ++epoch)
    for (auto [batch, labels] : data::DataLoader({x, y}, {.batch_size = 32})) {
      Tape tape;
      const Tensor loss = cross_entropy(model(batch), labels);
      optimizer.zero_grad();
      tape.backward(loss);
      const Tensor before = model.parameters()[0].grad().clone();
      optimizer.step();
      EXPECT_TENSOR_NEAR(model.parameters()[0].grad(), before, 0);
      last = loss.item();
    }
  return last;
}

template <class Optimizer, class Options>
double last_loss(const MakeModel& make, Options options, int count = 1) {
  NumpyRandom random(42);
  nn::Sequential model = make(random);
  Optimizer optimizer(model.parameters(), options);
  return epochs(model, optimizer, count);
}

}  // namespace

TEST(Needle, GradientDescent) {
  EXPECT_NEAR(last_loss<optim::SGD>(two_layers, optim::SGDOptions{.lr = 0.01}), 3.207009, 1e-5);
}

TEST(Needle, GradientDescentWithDecay) {
  EXPECT_NEAR(last_loss<optim::SGD>(two_layers, optim::SGDOptions{.lr = 0.01, .weight_decay = 0.01}), 3.202637, 1e-5);
}

TEST(Needle, Adam) { EXPECT_NEAR(last_loss<optim::Adam>(two_layers, optim::AdamOptions{.lr = 0.001}), 3.703999, 1e-5); }

TEST(Needle, AdamWithDecay) {
  EXPECT_NEAR(last_loss<optim::Adam>(two_layers, optim::AdamOptions{.lr = 0.001, .weight_decay = 0.01}), 3.705134,
              1e-5);
}

TEST(Needle, AdamWithBatchNorm) {
  EXPECT_NEAR(last_loss<optim::Adam>([](NumpyRandom& r) { return with_norm<nn::BatchNorm1d>(r); },
                                     optim::AdamOptions{.lr = 0.001, .weight_decay = 0.001}),
              3.296256, 1e-5);
}

TEST(Needle, AdamWithLayerNorm) {
  EXPECT_NEAR(last_loss<optim::Adam>([](NumpyRandom& r) { return with_norm<nn::LayerNorm>(r); },
                                     optim::AdamOptions{.lr = 0.01, .weight_decay = 0.01}),
              2.82192, 1e-5);
}

TEST(Needle, AResidualBlock) {
  const auto residual = [](NumpyRandom& random) {
    nn::Sequential model;
    model.push_back(linear(random, 64, 8));
    model.push_back(nn::ReLU());
    model.push_back(nn::Residual(linear(random, 8, 8)));
    model.push_back(linear(random, 8, 16));
    return model;
  };
  EXPECT_NEAR(last_loss<optim::SGD>(residual, optim::SGDOptions{.lr = 0.01, .weight_decay = 0.001}, 3), 2.852236, 1e-5);
}

TEST(Needle, MomentumAsPyTorchHasIt) {
  EXPECT_NEAR(last_loss<optim::SGD>(two_layers, optim::SGDOptions{.lr = 0.01, .momentum = 0.9}), 2.847368, 1e-5);
}

// The course's momentum begins at zero: u = mu u + (1 - mu) g, p = p - lr u.
TEST(Needle, MomentumAsTheCourseHasIt) {
  optim::SGDOptions options{.lr = 0.01, .momentum = 0.9, .dampening = 0.9, .zero_start = true};
  EXPECT_NEAR(last_loss<optim::SGD>(two_layers, options), 3.311805, 1e-5);
  options.weight_decay = 0.01;
  EXPECT_NEAR(last_loss<optim::SGD>(two_layers, options), 3.306993, 1e-5);
}

// The course's running variance is the biased one, n - 1 over n of PyTorch's.
TEST(Needle, EvaluationAfterBatchNorm) {
  for (const auto& [biased, loss] : {std::pair{false, 3.17925}, {true, 3.192054}}) {
    NumpyRandom random(42);
    nn::Sequential model = with_norm(random, nn::BatchNorm1d(32, {.biased_running_var = biased}));
    optim::Adam optimizer(model.parameters(), {.lr = 0.001, .weight_decay = 0.001});
    epochs(model, optimizer);
    model.eval();
    const Tensor x = get_tensor({32, 64}), y = get_labels(32, 16);
    EXPECT_NEAR(cross_entropy(model(x), y).item(), loss, 1e-5);
  }
}

TEST(Needle, ALayerNormOfThreeRows) {
  const Tensor y = nn::LayerNorm(3)(get_tensor({3, 3}));
  EXPECT_TENSOR_NEAR(y,
                     tensor({{-0.06525002, -1.1908097, 1.2560595},
                             {1.3919864, -0.47999576, -0.911992},
                             {1.3628436, -1.0085043, -0.3543393}}),
                     1e-4);
}

// tapegrad draws its masks itself: one that is given is a product.
TEST(Needle, DropoutByAMaskThatIsGiven) {
  NumpyRandom random(seed_of({2, 3}));
  const Tensor x = (random.randint(0, 100, {2, 3}).to(float64) / 20).to(float32), mask = random.rand({2, 3}) <= 0.55;
  EXPECT_TENSOR_NEAR(x * mask.to(float32) / 0.55, tensor({{6.818182, 0, 0}, {0.18181819, 0, 6.090909}}), 1e-6);
}
