#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "support/message.h"

namespace tapegrad {
namespace {

TEST(FunctionalCall, TakesTheGivenTensorsAndLeavesTheModuleAlone) {
  nn::Sequential net(nn::Linear(2, 3), nn::ReLU(), nn::Linear(3, 1));
  const Tensor x = randn({4, 2}), before = net(x);
  StateDict other = net.clone().state_dict();
  for (auto& [name, tensor] : other) tensor = 2 * tensor;
  const nn::Sequential twice = net.clone();
  nn::Sequential(twice).load_state_dict(other);
  EXPECT_TENSOR_NEAR(nn::functional_call(net, other, x), twice(x), 0);
  EXPECT_TENSOR_NEAR(net(x), before, 0);
  const Tensor bias = tensor({7});
  EXPECT_TENSOR_NEAR(nn::functional_call(net, {{"2.bias", bias}}, x), before - net.at<nn::Linear>(2).bias + bias, 1e-6);
}

TEST(FunctionalCall, LetsTheGradientFlowToWhatIsGiven) {
  nn::Linear net(2, 1, {.bias = false});
  const Tensor x = tensor({{1, 2}}), w = tensor({{3, 4}}, {.requires_grad = true});
  Tape tape;
  tape.backward(nn::functional_call(net, {{"weight", w * w}}, x).reshape({}));
  EXPECT_TENSOR_NEAR(w.grad(), tensor({{6, 16}}), 0);
  EXPECT_FALSE(net.weight.grad().defined());
}

TEST(FunctionalCall, SharesTheBuffersThatAreNotGiven) {
  nn::BatchNorm1d norm(2);
  nn::functional_call(norm, {{"weight", full({2}, 3)}}, randn({8, 2}) + 5);
  EXPECT_GT(norm.running_mean.to_vector<float>()[0], 0.3f);
  EXPECT_EQ(norm.num_batches_tracked.item(), 1);
  const Tensor mean = zeros({2});
  nn::functional_call(norm, {{"running_mean", mean}}, randn({8, 2}) + 5);
  EXPECT_GT(mean.to_vector<float>()[0], 0.3f);
}

TEST(FunctionalCall, RejectsWhatDoesNotFit) {
  const nn::Linear net(2, 1);
  EXPECT_EQ(message<ValueError>([&] {
              nn::functional_call(net, {{"weight", ones({2})}, {"fc", ones({2})}}, ones({1, 2}));
            }),
            "functional_call: the state does not fit Linear: 'weight' must be float32 [1, 2]; there is no 'fc'");
  EXPECT_EQ(nn::Linear(net).weight.impl(), net.weight.impl()) << "no clone is in progress after an error";
}

// Gradient of the loss after one step of size a on another loss: for y = w x and losses (w - t)^2 / 2 the weight is
// then w' = w - a (w - t), and dL/dw = (w' - u)(1 - a).
TEST(FunctionalCall, DifferentiatesThroughAStepOfTraining) {
  nn::Linear net(1, 1, {.bias = false});
  net.to(float64);
  net.weight.fill_(3);
  const double a = 0.25, t = 1, u = -2;
  const Tensor x = ones({1, 1}, {.dtype = float64});
  Tape tape;
  const Tensor inner = 0.5 * sum(square(net(x) - t));
  const Tensor g = tape.gradient(inner, {net.weight}, {.create_graph = true})[0];
  const Tensor outer = 0.5 * sum(square(nn::functional_call(net, {{"weight", net.weight - a * g}}, x) - u));
  tape.backward(outer);
  EXPECT_NEAR(net.weight.grad().item(), (3 - a * (3 - t) - u) * (1 - a), 1e-14);
}

}  // namespace
}  // namespace tapegrad
