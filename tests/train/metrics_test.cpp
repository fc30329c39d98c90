// Numbers by hand, by their definition, and those that scikit-learn 1.2 gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "support/message.h"

namespace tapegrad {
namespace {

using ::testing::HasSubstr;

TEST(TopKAccuracy, CountsTheRowsWhoseLabelIsAmongTheLargest) {
  const Tensor logits = tensor({{0.1, 0.2, 0.3}, {0.3, 0.2, 0.1}, {0.2, 0.5, 0.4}, {0.0, 0.9, 0.1}});
  const Tensor labels = tensor({2, 2, 2, 0}, {.dtype = int64});
  EXPECT_EQ(train::top_k_accuracy(logits, labels, 1), 0.25);
  EXPECT_EQ(train::top_k_accuracy(logits, labels, 2), 0.5);
  EXPECT_EQ(train::top_k_accuracy(logits, labels, 3), 1);
}

TEST(TopKAccuracy, IsAccuracyForOneAlsoWhereLogitsAreEqual) {
  manual_seed(1);
  const Tensor logits = floor(rand({200, 5}) * 4), labels = randint(0, 5, {200});
  EXPECT_EQ(train::top_k_accuracy(logits, labels, 1), train::accuracy(logits, labels));
}

TEST(TopKAccuracy, RefusesWhatCannotBe) {
  const Tensor labels = tensor({0, 3}, {.dtype = int64});
  const auto call = [&](int64_t k) { (void)train::top_k_accuracy(zeros({2, 3}), labels, k); };
  EXPECT_THAT(message<ValueError>([&] { call(4); }), HasSubstr("k must be in [1, 3], got 4"));
  EXPECT_THAT(message<IndexError>([&] { call(1); }), HasSubstr("a class must be in [0, 3), got 3"));
  EXPECT_THAT(message<ShapeError>([&] { (void)train::top_k_accuracy(zeros({3}), labels, 1); }),
              HasSubstr("logits [..., C] go with labels [...], got [3] and [2]"));
  EXPECT_TRUE(std::isnan(train::top_k_accuracy(zeros({0, 3}), zeros({0}, {.dtype = int64}), 1)));
}

/// By its definition: the share of pairs in the right order.
double auc_of_pairs(const std::vector<float>& scores, const std::vector<int64_t>& labels) {
  double right = 0, pairs = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    for (size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      pairs += 1;
      right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  return right / pairs;
}

TEST(RocAuc, IsTheShareOfPairsInTheRightOrder) {
  EXPECT_EQ(train::roc_auc(tensor({0.1, 0.4, 0.35, 0.8}), tensor({0, 0, 1, 1}, {.dtype = int64})),
            0.75);  // scikit-learn's example
  manual_seed(2);
  for (int i = 0; i < 20; ++i) {
    const Tensor scores = floor(rand({60}) * 10), labels = randint(0, 2, {60});  // many are equal
    EXPECT_NEAR(train::roc_auc(scores, labels), auc_of_pairs(scores.to_vector<float>(), labels.to_vector<int64_t>()),
                1e-12);
  }
  EXPECT_TRUE(std::isnan(train::roc_auc(tensor({0.1, 0.2}), tensor({1, 1}, {.dtype = int64}))));
  EXPECT_EQ(train::roc_auc(tensor({0.1, 0.2}), tensor({0, 1}, {.dtype = int64}) > 0), 1);
}

TEST(RocAuc, RefusesWhatCannotBe) {
  const Tensor two = tensor({0, 2}, {.dtype = int64});
  EXPECT_THAT(message<ValueError>([&] { (void)train::roc_auc(zeros({2}), two); }), HasSubstr("0 or 1, got 2"));
  EXPECT_THAT(message<ValueError>([&] { (void)train::roc_auc(full({2}, NAN), two * 0); }), HasSubstr("score 0 is NaN"));
  EXPECT_THAT(message<ShapeError>([&] { (void)train::roc_auc(zeros({3}), two); }), HasSubstr("got [3] and [2]"));
  EXPECT_THAT(message<DtypeError>([&] { (void)train::roc_auc(zeros({2}), zeros({2})); }), HasSubstr("got float32"));
}

TEST(MeanAbsoluteError, IsTheMeanOfTheDistances) {
  EXPECT_EQ(train::mean_absolute_error(tensor({1, 2, 3}), tensor({1, 4, 0})), 5.0 / 3);
  EXPECT_TRUE(std::isnan(train::mean_absolute_error(zeros({0}), zeros({0}))));
  EXPECT_THAT(message<ShapeError>([&] {
                (void)train::mean_absolute_error(zeros({2}), zeros({2, 1}));
              }),
              HasSubstr("one shape, got [2] and [2, 1]"));
}

TEST(Meter, HasThePerplexityOfItsMean) {
  train::Meter nats;
  nats.add(std::log(4.0), 3);
  nats.add(std::log(2.0), 1);
  EXPECT_NEAR(nats.perplexity(), std::pow(4, 0.75) * std::pow(2, 0.25), 1e-12);
}

TEST(ConfusionMatrix, GivesWhatScikitLearnGives) {
  // precision_recall_fscore_support([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2]): the classes of scikit-learn's example.
  train::ConfusionMatrix matrix(3);
  matrix.add(tensor({0, 0, 2}, {.dtype = int64}), tensor({2, 0, 2}, {.dtype = int64}));
  matrix.add(tensor({{0.1, 0.2, 0.7}, {1, 0, 0}, {0, 0.4, 0.6}}), tensor({2, 0, 1}, {.dtype = int64}));
  EXPECT_EQ(matrix.counts().to_vector<int64_t>(), (std::vector<int64_t>{2, 0, 0, 0, 0, 1, 1, 0, 2}));
  EXPECT_DOUBLE_EQ(matrix.accuracy(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(matrix.precision(0), 2.0 / 3);
  EXPECT_DOUBLE_EQ(matrix.precision(1), 0);
  EXPECT_DOUBLE_EQ(matrix.recall(0), 1);
  EXPECT_DOUBLE_EQ(matrix.recall(2), 2.0 / 3);
  EXPECT_DOUBLE_EQ(matrix.f1(0), 0.8);
  EXPECT_DOUBLE_EQ(matrix.precision(), (2.0 / 3 + 0 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(matrix.recall(), (1 + 0 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(matrix.f1(), (0.8 + 0 + 2.0 / 3) / 3);
}

TEST(ConfusionMatrix, IsSavedAndRefusesWhatIsNoClass) {
  train::ConfusionMatrix matrix(2), other(2);
  EXPECT_TRUE(std::isnan(matrix.accuracy()));
  const Tensor y = tensor({0, 1, 1}, {.dtype = int64});
  matrix.add(y, y);
  other.load_state_dict(matrix.state_dict());
  EXPECT_EQ(other.accuracy(), 1);
  EXPECT_THAT(message<IndexError>([&] { matrix.add(y, y * 2); }), HasSubstr("a class must be in [0, 2), got 2"));
  EXPECT_EQ(matrix.counts().to_vector<int64_t>(), (std::vector<int64_t>{1, 0, 0, 2}));
  EXPECT_THAT(message<ShapeError>([&] { matrix.add(y, zeros({2}, {.dtype = int64})); }),
              HasSubstr("got [3] and int64 [2]"));
  EXPECT_THAT(message<ValueError>([] { train::ConfusionMatrix(0); }), HasSubstr("classes must be positive, got 0"));
  EXPECT_THAT(message<IndexError>([&] { (void)matrix.recall(2); }), HasSubstr("got 2"));
  matrix.reset();
  EXPECT_EQ(matrix.f1(), 0);
}

TEST(EarlyStopping, StopsAfterAsManyValuesWithoutImprovement) {
  train::EarlyStopping stopping({.patience = 2, .min_delta = 0.1});
  EXPECT_FALSE(stopping.step(1));
  EXPECT_FALSE(stopping.step(0.95));  // by less than min_delta
  EXPECT_FALSE(stopping.step(0.8));
  EXPECT_FALSE(stopping.step(NAN));
  train::EarlyStopping resumed({.patience = 2, .min_delta = 0.1});
  resumed.load_state_dict(stopping.state_dict());
  EXPECT_TRUE(stopping.step(0.8));
  EXPECT_TRUE(resumed.step(0.8));
  EXPECT_EQ(resumed.best(), 0.8);
  EXPECT_FALSE(resumed.step(0.5));
}

TEST(EarlyStopping, TakesTheLargerForBetterWhereToldTo) {
  train::EarlyStopping stopping({.better = optim::Better::larger, .patience = 1});
  EXPECT_FALSE(stopping.step(0.5));
  EXPECT_FALSE(stopping.step(0.6));
  EXPECT_TRUE(stopping.step(0.6));
  EXPECT_THAT(message<ValueError>([] { train::EarlyStopping({.patience = 0}); }), HasSubstr("at least 1, got 0"));
  EXPECT_THAT(message<ValueError>([] { train::EarlyStopping({.min_delta = -1}); }), HasSubstr("not negative, got -1"));
}

struct Leaf : nn::Module<Leaf> {
  nn::Parameter w = add_parameter("w", tensor({1.0, 2.0}));
  nn::Buffer count = add_buffer("count", zeros({1}));
  Tensor forward(const Tensor& x) { return w * x; }
};

std::vector<float> averaged(train::ModelAverageOptions options, const std::vector<double>& values) {
  Leaf model, average = model.clone();
  train::ModelAverage mean(model, average, options);
  for (double value : values) {
    const NoGrad no_grad;
    model.w.copy_(tensor({value, -value}));
    model.count.fill_(value);
    mean.update();
  }
  EXPECT_EQ(average.count.item(), values.back());
  return average.w.to_vector<float>();
}

TEST(ModelAverage, IsTheMeanOfAllUpdatesOrAMovingOne) {
  EXPECT_THAT(averaged({}, {3, 4, 8}), ::testing::ElementsAre(5, -5));
  // 0.25 of the first three times, and what came behind it
  const double moving = 0.75 * (0.75 * 3 + 0.25 * 4) + 0.25 * 8;
  EXPECT_THAT(averaged({.decay = 0.75}, {3, 4, 8}), ::testing::ElementsAre(float(moving), -float(moving)));
  EXPECT_THAT(averaged({.decay = 1}, {3, 4, 8}), ::testing::ElementsAre(3, -3));
  EXPECT_THAT(averaged({.decay = 0}, {3, 4, 8}), ::testing::ElementsAre(8, -8));
}

TEST(ModelAverage, GoesOnFromItsState) {
  Leaf model, average = model.clone(), other = model.clone();
  train::ModelAverage mean(model, average), resumed(model, other);
  const NoGrad no_grad;
  mean.update();
  model.w.fill_(5);
  mean.update();
  resumed.load_state_dict(mean.state_dict());
  model.w.fill_(-1);
  mean.update();
  resumed.update();
  EXPECT_EQ(resumed.updates(), 3);
  EXPECT_EQ(other.w.to_vector<float>(), average.w.to_vector<float>());
}

TEST(ModelAverage, RefusesModelsThatDiffer) {
  EXPECT_THAT(message<ValueError>([] { train::ModelAverage(nn::Linear(2, 3), nn::Linear(2, 4)); }),
              HasSubstr("must be alike, got 'weight' float32 [3, 2] and 'weight' float32 [4, 2]. Hint: clone()"));
  EXPECT_THAT(message<ValueError>([] { train::ModelAverage(nn::Linear(2, 3), Leaf()); }),
              HasSubstr("one has 2 tensors and the other 1"));
  const Leaf model;
  EXPECT_THAT(message<ValueError>([&] { train::ModelAverage(model, model); }), HasSubstr("must share no parameters"));
  EXPECT_THAT(message<ValueError>([&] { train::ModelAverage(model, Leaf(), {.decay = 1.5}); }),
              HasSubstr("[0, 1], got 1.5"));
}

}  // namespace
}  // namespace tapegrad
