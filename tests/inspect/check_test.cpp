// Wrong programs, each of which must be named, and right ones, of which nothing may be said.
#include "inspect/programs.h"

namespace tapegrad {
namespace {

using inspect::Mistake;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Mistake& find(const std::vector<Mistake>& all, const std::string& name) {
  for (const Mistake& m : all)
    if (m.name == name) return m;
  ADD_FAILURE() << name << " is not among " << ::testing::PrintToString(names(all));
  static const Mistake none;
  return none;
}

struct Parts : nn::Module<Parts> {
  nn::Linear fc = add("fc", nn::Linear(6, 3));
  nn::Linear spare = add("spare", nn::Linear(6, 3));
  Tensor forward(const Tensor& x) { return fc(x); }
};

class Check : public ::testing::Test {
 protected:
  void SetUp() override { manual_seed(5); }
};

TEST_F(Check, FindsAParameterThatNoLossReaches) {
  EXPECT_EQ(find(mistakes(Parts()), "no gradient").where, "spare.weight");
}
TEST_F(Check, FindsALayerBehindADetach) {
  nn::Linear a(6, 8), b(8, 3);
  nn::Sequential model(a, b);
  EXPECT_EQ(
      find(mistakes(model, {.forward = [=](const Tensor& x) { return b(relu(a(x)).detach()); }}), "no gradient").where,
      "0.weight");
}
TEST_F(Check, FindsAParameterThatIsNotRegistered) {
  const Tensor gain = ones({3}, {.requires_grad = true});
  nn::Linear fc(6, 3);
  EXPECT_EQ(find(mistakes(fc, {.forward = [=](const Tensor& x) { return fc(x) * gain; }}), "not registered").where,
            "[3]");
}
TEST_F(Check, FindsAParameterThatTheOptimizerHasNot) {
  nn::Sequential model = mlp();
  const std::vector<Tensor> p = model.parameters();
  EXPECT_EQ(find(mistakes(model, {.lr = 0.1, .parameters = {p[0], p[1]}}), "not in the optimizer").where, "2.weight");
}
TEST_F(Check, FindsAnOptimizerOfAnotherModel) {
  nn::Sequential model = mlp(), other = model.clone();
  EXPECT_THAT(find(mistakes(model, {.parameters = other.parameters()}), "the step failed").text,
              HasSubstr("found no gradient on any of 4 parameters"));
}
TEST_F(Check, FindsAParameterThatTwoOptimizersStep) {
  nn::Sequential model = mlp();
  optim::SGD first(model.parameters(), {.lr = 0.01}), second({model.parameters()[2]}, {.lr = 0.01});
  const auto found = inspect::check(model, first, [&](const TapeOptions& options) {
    const auto [x, y] = classes();
    Tape tape(options);
    const Tensor loss = cross_entropy(model(x), y);
    first.zero_grad();
    tape.backward(loss);
    first.step();
    second.step();
  });
  EXPECT_EQ(find(found, "stepped twice").where, "2.weight");
}
TEST_F(Check, AnOptimizerRefusesAParameterTwice) {
  nn::Linear fc(6, 3);
  EXPECT_THROW(optim::SGD({fc.weight, fc.weight}, {.lr = 0.1}), ValueError);
}
TEST_F(Check, FindsGradientsThatAreNotZeroed) {
  EXPECT_THAT(names(mistakes(mlp(), {.zero_grad = false})), ElementsAre("gradients not zeroed"));
}
TEST_F(Check, FindsAnOptimizerThatDoesNotStep) {
  EXPECT_THAT(names(mistakes(mlp(), {.step = false})), ElementsAre("optimizer not stepped"));
}
TEST_F(Check, FindsALearningRateOfZero) {
  EXPECT_THAT(names(mistakes(mlp(), {.lr = 0})), ElementsAre("optimizer not stepped"));
}
TEST_F(Check, FindsAStepBeforeBackward) {
  nn::Sequential model = mlp();
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
  const auto found = inspect::check(model, sgd, [&](const TapeOptions& options) {
    if (model.parameters()[0].grad().defined()) sgd.step();
    sgd.zero_grad();
    const auto [x, y] = classes();
    Tape tape(options);
    tape.backward(cross_entropy(model(x), y));
  });
  EXPECT_EQ(find(found, "step before backward").where, "0.weight");
}
TEST_F(Check, FindsASoftmaxBeforeTheLoss) {
  EXPECT_EQ(find(mistakes(net(nn::Linear(6, 16), nn::ReLU(), nn::Linear(16, 3), nn::Softmax(-1))),
                 "softmax before cross_entropy")
                .where,
            "3");
}
TEST_F(Check, FindsALogSoftmaxBeforeTheLoss) {
  find(mistakes(net(nn::Linear(6, 3), nn::LogSoftmax(-1))), "log_softmax before cross_entropy");
}
TEST_F(Check, FindsAReluBeforeTheLoss) {
  find(mistakes(net(nn::Linear(6, 3), nn::ReLU())), "relu before cross_entropy");
}
TEST_F(Check, FindsASigmoidBeforeItsLoss) {
  find(mistakes(net(nn::Linear(6, 1), nn::Sigmoid()),
                {.loss = [](const Tensor& out,
                            const Tensor& y) { return bce_with_logits_loss(out.squeeze(1), y.to(float32) / 2.0); }}),
       "sigmoid before bce_with_logits_loss");
}
TEST_F(Check, FindsANormAfterTheLastLayer) {
  find(mistakes(net(nn::Linear(6, 3, {.bias = false}), nn::LayerNorm(3))), "norm before cross_entropy");
}
TEST_F(Check, FindsADropoutAfterTheLastLayer) {
  find(mistakes(net(nn::Linear(6, 3), nn::Dropout(0.5))), "dropout before cross_entropy");
}
TEST_F(Check, FindsABiasBeforeANorm) {
  EXPECT_EQ(
      find(mistakes(net(nn::Linear(6, 16), nn::LayerNorm(16), nn::ReLU(), nn::Linear(16, 3))), "bias before a norm")
          .where,
      "0.bias");
  find(mistakes(net(nn::Linear(6, 16), nn::BatchNorm1d(16), nn::ReLU(), nn::Linear(16, 3))), "bias before a norm");
}
TEST_F(Check, FindsADeadRelu) {
  nn::Sequential model = mlp();
  model.parameters()[1].fill_(-20);
  EXPECT_EQ(find(mistakes(model), "dead relu").where, "1");
}
TEST_F(Check, FindsSaturatedGates) {
  nn::Sequential model = net(nn::Linear(6, 16), nn::Tanh(), nn::Linear(16, 3));
  model.parameters()[0].copy_(model.parameters()[0] * 50.0);
  EXPECT_EQ(find(mistakes(model), "saturated gates").where, "1");
}
TEST_F(Check, FindsTheSaturatedGatesOfAnLstm) {
  nn::LSTM lstm(6, 8);
  nn::Linear head(8, 3);
  for (Tensor p : lstm.parameters()) p.copy_(p * 60.0);
  nn::Sequential both(head);
  struct Reader : nn::Module<Reader> {
    nn::LSTM lstm;
    nn::Linear head;
    Reader(nn::LSTM l, nn::Linear h) : lstm(add("lstm", l)), head(add("head", h)) {}
    Tensor forward(const Tensor& x) { return head(lstm(x.reshape({1, -1, 6}).expand({5, x.size(0), 6})).output[4]); }
  };
  find(mistakes(Reader(lstm, head)), "saturated gates");
}
TEST_F(Check, FindsAFirstLossFarFromLnOfTheClasses) {
  nn::Sequential model = mlp();
  model.parameters()[2].copy_(model.parameters()[2] * 30.0);
  EXPECT_THAT(find(mistakes(model), "first loss far from ln(classes)").text, HasSubstr("1.1"));
}
TEST_F(Check, FindsALearningRateThatIsTooSmall) { find(mistakes(mlp(), {.lr = 1e-6}), "learning rate too small"); }
TEST_F(Check, FindsALearningRateThatIsTooLarge) { find(mistakes(mlp(), {.lr = 50}), "learning rate too large"); }
TEST_F(Check, FindsALossThatIsMaximized) {
  find(mistakes(
           nn::Linear(6, 1),
           {.loss = [](const Tensor& out, const Tensor& y) { return mse_loss(out.squeeze(1), y.to(float32) * -1.0); },
            .lr = 5}),
       "loss grows");
}
TEST_F(Check, FindsConstantLabels) {
  const auto batch = [] { return Classes{classes().x, zeros({48}, {.dtype = int64})}; };
  EXPECT_THAT(names(mistakes(mlp(), {.batch = batch})), ElementsAre("constant labels"));
}
TEST_F(Check, FindsInputsThatAreNotNormalized) {
  const auto batch = [] {
    const auto [x, y] = classes();
    return Classes{x * 64.0 + 128.0, y};  // as pixels are
  };
  find(mistakes(mlp(), {.batch = batch, .lr = 1e-6}), "inputs not normalized");
}
TEST_F(Check, FindsABatchOfTwoWithBatchNorm) {
  EXPECT_THAT(find(mistakes(net(nn::Linear(6, 16, {.bias = false}), nn::BatchNorm1d(16), nn::ReLU(), nn::Linear(16, 3)),
                            {.batch = [] { return classes(2); }}),
                   "batch norm of two")
                  .text,
              HasSubstr("2 numbers"));
}
TEST_F(Check, FindsOutputsAndTargetsThatBroadcast) {
  EXPECT_THAT(
      find(mistakes(nn::Linear(6, 1),
                    {.loss = [](const Tensor& out, const Tensor& y) { return mean(square(out - y.to(float32))); }}),
           "outputs and targets broadcast")
          .text,
      HasSubstr("[48, 48]"));
}
TEST_F(Check, FindsDataThatAreNotShuffled) {
  int call = 0;
  const auto batch = [&] {
    const int64_t now = call++;
    return Classes{classes(24).x, concat({full({12}, double(now / 2), {.dtype = int64}),
                                          full({12}, double((now + 1) / 2), {.dtype = int64})},
                                         0)};
  };
  EXPECT_EQ(find(mistakes(mlp(), {.batch = batch}), "not shuffled").text, "the labels are in order, from 0 to 1");
}
TEST_F(Check, FindsTrainingInEvaluationMode) {
  nn::Sequential model = net(nn::Linear(6, 16), nn::ReLU(), nn::Dropout(0.5), nn::Linear(16, 3));
  model.eval();
  EXPECT_EQ(find(mistakes(model), "training in evaluation mode").where, "2");
}
TEST_F(Check, FindsAnEvaluationInTrainingMode) {
  nn::Sequential model = net(nn::Linear(6, 16), nn::ReLU(), nn::Dropout(0.5), nn::Linear(16, 3));
  find(mistakes(model, {.options = {.evaluate = [=] { (void)model(classes().x); }}}), "evaluation in training mode");
}
TEST_F(Check, FindsAModelThatIsLeftInEvaluationMode) {
  nn::Sequential model = mlp();
  find(mistakes(model, {.options = {.evaluate = [=]() mutable { model.eval(); }}}), "left in evaluation mode");
}
TEST_F(Check, FindsLinearAfterLinear) {
  EXPECT_EQ(find(mistakes(net(nn::Linear(6, 16), nn::Linear(16, 3))), "linear after linear").where, "1");
}
TEST_F(Check, FindsAReluWithoutEffect) {
  find(mistakes(net(nn::Linear(6, 16), nn::ReLU(), nn::ReLU(), nn::Linear(16, 3))), "relu without effect");
}
TEST_F(Check, FindsUnitsThatAreCopies) {
  nn::Sequential model = mlp();
  for (Tensor p : model.parameters()) p.fill_(0.1);
  EXPECT_EQ(find(mistakes(model), "units that are copies").where, "0.weight");
}
TEST_F(Check, FindsANormOfOneFeature) {
  find(mistakes(net(nn::Linear(6, 1, {.bias = false}), nn::LayerNorm(1), nn::ReLU(), nn::Linear(1, 3))),
       "norm of one feature");
}
TEST_F(Check, FindsADropoutOfNearlyAll) {
  find(mistakes(net(nn::Linear(6, 16), nn::Dropout(0.9), nn::ReLU(), nn::Linear(16, 3))), "dropout of nearly all");
}
TEST_F(Check, FindsAVanishingGradient) {
  nn::Sequential model = net(nn::Linear(6, 8), nn::Sigmoid(), nn::Linear(8, 8), nn::Sigmoid(), nn::Linear(8, 8),
                             nn::Sigmoid(), nn::Linear(8, 8), nn::Sigmoid(), nn::Linear(8, 3));
  for (Tensor p : model.parameters()) p.copy_(p * 0.05);
  find(mistakes(model), "vanishing gradient");
}
TEST_F(Check, FindsTargetsThatAreNotNormalized) {
  const auto found = names(mistakes(
      nn::Linear(6, 1),
      {.loss = [](const Tensor& out, const Tensor& y) { return mse_loss(out.squeeze(1), y.to(float32) * 1e5); },
       .lr = 1e-9}));
  EXPECT_THAT(found, Contains("huge first loss"));
  EXPECT_THAT(found, Contains("exploding gradient"));
}
TEST_F(Check, FindsNan) {
  EXPECT_THAT(
      find(mistakes(nn::Linear(6, 3), {.loss = [](const Tensor& out, const Tensor&) { return mean(log(relu(out))); }}),
           "NaN")
          .text,
      HasSubstr("log"));
}
TEST_F(Check, FindsALossWithoutAGradient) {
  EXPECT_THAT(find(mistakes(mlp(), {.loss = [](const Tensor& out,
                                               const Tensor& y) { return mean(eq(argmax(out, 1), y).to(float32)); }}),
                   "the step failed")
                  .text,
              HasSubstr("did not record the tensor"));
}
TEST_F(Check, PutsEverythingBack) {
  nn::Sequential model = net(nn::Linear(6, 16, {.bias = false}), nn::BatchNorm1d(16), nn::ReLU(), nn::Linear(16, 3));
  const std::vector<float> weight = model.parameters()[0].to_vector<float>(),
                           mean = model.buffers()[0].to_vector<float>();
  const uint64_t position = default_generator().position;
  (void)mistakes(model, {.lr = 0.1});
  EXPECT_EQ(model.parameters()[0].to_vector<float>(), weight);
  EXPECT_EQ(model.buffers()[0].to_vector<float>(), mean);
  EXPECT_EQ(default_generator().position, position);
  EXPECT_THROW(mistakes(model, {.options = {.steps = 1}}), ValueError);
}

// ---- Right programs.

class Right : public Check {};

TEST_F(Right, Mlp) { EXPECT_THAT(names(mistakes(mlp())), IsEmpty()); }
TEST_F(Right, LogisticRegression) { EXPECT_THAT(names(mistakes(nn::Linear(6, 3), {.lr = 0.1})), IsEmpty()); }
TEST_F(Right, LayerNorm) {
  EXPECT_THAT(names(mistakes(net(nn::Linear(6, 16, {.bias = false}), nn::LayerNorm(16), nn::ReLU(), nn::Linear(16, 3)),
                             {.lr = 0.1})),
              IsEmpty());
}
TEST_F(Right, BatchNormAndDropout) {
  nn::Sequential model =
      net(nn::Linear(6, 16, {.bias = false}), nn::BatchNorm1d(16), nn::ReLU(), nn::Dropout(0.2), nn::Linear(16, 3));
  const auto evaluate = [=]() mutable {
    model.eval();
    (void)model(classes().x);
    model.train();
  };
  EXPECT_THAT(names(mistakes(model, {.lr = 0.1, .options = {.evaluate = evaluate}})), IsEmpty());
}
TEST_F(Right, Regression) {
  EXPECT_THAT(names(mistakes(net(nn::Linear(6, 16), nn::Tanh(), nn::Linear(16, 1)),
                             {.loss = [](const Tensor& out,
                                         const Tensor& y) { return mse_loss(out.squeeze(1), y.to(float32) - 1.0); }})),
              IsEmpty());
}
TEST_F(Right, BinaryClassifier) {
  EXPECT_THAT(names(mistakes(
                  net(nn::Linear(6, 16), nn::GELU(), nn::Linear(16, 1)),
                  {.loss = [](const Tensor& out,
                              const Tensor& y) { return bce_with_logits_loss(out.squeeze(1), y.to(float32) / 2.0); }})),
              IsEmpty());
}
TEST_F(Right, ConvolutionalNetwork) {
  const auto forward = net(nn::Conv2d(1, 4, 3, {.padding = 1}), nn::ReLU(), nn::Flatten(), nn::Linear(24, 3));
  EXPECT_THAT(names(mistakes(forward, {.forward =
                                           [=](const Tensor& x) {
                                             return forward(x.reshape({-1, 1, 2, 3}));
                                           }})),
              IsEmpty());
}
TEST_F(Right, Lstm) {
  struct Reader : nn::Module<Reader> {
    nn::LSTM lstm = add("lstm", nn::LSTM(1, 16, {.norm = nn::Norm::layer}));
    nn::Linear head = add("head", nn::Linear(16, 3));
    Tensor forward(const Tensor& x) { return head(lstm(x.transpose(0, 1).unsqueeze(2)).output[5]); }
  };
  EXPECT_THAT(names(mistakes(Reader(), {.lr = 0.1})), IsEmpty());
}
TEST_F(Right, ClippedAndSmoothed) {
  nn::Sequential model = mlp();
  optim::AdamW adam(model.named_parameters(), {.lr = 1e-3, .weight_decay = 0.01});
  EXPECT_THAT(names(inspect::check(model, adam,
                                   [&](const TapeOptions& options) {
                                     const auto [x, y] = classes();
                                     Tape tape(options);
                                     const Tensor loss = cross_entropy(model(x), y, {.label_smoothing = 0.1});
                                     adam.zero_grad();
                                     tape.backward(loss);
                                     clip_grad_norm(model.parameters(), 0.1);
                                     adam.step();
                                   })),
              IsEmpty());
}
TEST_F(Right, GradientsOfSeveralBatchesAddedUp) {
  nn::Sequential model = mlp();
  optim::SGD sgd(model.parameters(), {.lr = 0.01});
  EXPECT_THAT(names(inspect::check(model, sgd,
                                   [&](const TapeOptions& options) {
                                     sgd.zero_grad();
                                     for (int i = 0; i < 2; ++i) {
                                       const auto [x, y] = classes();
                                       Tape tape(options);
                                       tape.backward(cross_entropy(model(x), y) / 2.0);
                                     }
                                     sgd.step();
                                   })),
              IsEmpty());
}
TEST_F(Right, Transformer) {
  struct Reader : nn::Module<Reader> {
    nn::Linear embed = add("embed", nn::Linear(1, 16));
    nn::TransformerEncoderLayer layer =
        add("layer", nn::TransformerEncoderLayer(16, 2, {.dim_feedforward = 32, .batch_first = true}));
    nn::Linear head = add("head", nn::Linear(16, 3));
    Tensor forward(const Tensor& x) { return head(mean(layer(embed(x.unsqueeze(2))), 1)); }
  };
  EXPECT_THAT(names(mistakes(Reader(), {.lr = 0.01})), IsEmpty());
}

}  // namespace
}  // namespace tapegrad
