// Modules of one's own, and what normalization and dropout promise.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>

using namespace tapegrad;
using ::testing::HasSubstr;

namespace {

struct RMSNorm : nn::Module<RMSNorm> {
  explicit RMSNorm(int64_t size) : weight(add_parameter("weight", ones({size}))) {}
  Tensor forward(const Tensor& x) { return weight * x * rsqrt(mean(x * x, -1, {.keepdim = true}) + 1e-5); }
  nn::Parameter weight;
};

template <class Norm>
struct Mlp : nn::Module<Mlp<Norm>> {
  nn::Linear fc1 = this->add("fc1", nn::Linear(64, 64));
  Norm norm = this->add("norm", Norm(64));
  nn::Linear fc2 = this->add("fc2", nn::Linear(64, 10));
  Tensor forward(const Tensor& x) { return fc2(relu(norm(fc1(x)))); }
};

}  // namespace

TAPEGRAD_TEST_MODULE(RMSNorm, RMSNorm(6), Shape{4, 6});

TEST(Programs, LayerNormDoesNotKnowTheBatch) {
  manual_seed(0);
  auto [train, test] = data::csv(TAPEGRAD_DATA_DIR "/digits.csv").split(0.8);
  for (const int64_t size : {1, 2, 4, 128}) {
    SCOPED_TRACE(size);
    const Tensor x = narrow(train.x(), 0, 0, size) / 16.0, y = narrow(train.y(), 0, 0, size);
    Mlp<nn::LayerNorm> layer;
    Mlp<nn::BatchNorm1d> batch;
    // The first row's result is the same alone and in company, in training too; under batch norm it is not.
    const Tensor one = narrow(x, 0, 0, 1);
    EXPECT_TENSOR_NEAR(layer(one)[0], layer(x)[0], 1e-5);
    if (size == 1) {
      EXPECT_THROW(batch(x), ValueError);
    } else {
      const Tensor in_company = batch(x)[0];
      batch.eval();
      EXPECT_FALSE(is_close(batch(one)[0], in_company, {.atol = 1e-3}));
    }
    EXPECT_TRUE(overfits(layer, [&] { return cross_entropy(layer(x), y); }));
  }
}

TEST(Programs, DropoutKeepsTheMean) {
  manual_seed(3);
  nn::Dropout dropout(0.5);
  const Tensor x = ones({1000, 1000});
  EXPECT_NEAR(mean(dropout(x)).item(), 1, 2e-3);
  manual_seed(4);
  const Tensor a = dropout(x);
  manual_seed(4);
  EXPECT_EQ(dropout(x).to_vector<float>(), a.to_vector<float>());

  const Tensor leaf = ones({1000}, {.requires_grad = true});
  Tape tape;
  const Tensor y = dropout(leaf);
  tape.backward(sum(y));
  EXPECT_EQ(leaf.grad().to_vector<float>(), y.to_vector<float>());  // the mask of the forward pass, times 2

  dropout.eval();
  EXPECT_EQ(dropout(x).to_vector<float>(), x.to_vector<float>());
}

TEST(Programs, AModelOverfitsOneBatch) {
  manual_seed(0);
  const data::Batch batch = data::csv(TAPEGRAD_DATA_DIR "/digits.csv").get({0, 1, 2, 3, 4, 5, 6, 7});
  Mlp<nn::LayerNorm> model;
  EXPECT_TRUE(overfits(model, [&] { return cross_entropy(model(batch.x / 16.0), batch.y); }, {.start = std::log(10)}));
}

TEST(Programs, AModelThatForgetsAPartIsTold) {
  manual_seed(0);
  struct Broken : nn::Module<Broken> {
    nn::Linear fc1 = add("fc1", nn::Linear(4, 4));
    nn::Linear fc2 = add("fc2", nn::Linear(4, 3));
    Tensor forward(const Tensor& x) { return fc2(fc1(x).detach()); }
  };
  Broken model;
  const Tensor x = zeros({6, 4}), y = randint(0, 3, {6});  // nothing in x tells the classes apart
  const auto result = overfits(model, [&] { return cross_entropy(model(x), y); }, {.steps = 20});
  EXPECT_FALSE(result);
  EXPECT_THAT(result.message(), HasSubstr("never moved: fc1.weight, fc1.bias"));
}
