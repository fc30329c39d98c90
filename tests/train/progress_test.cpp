#include <gtest/gtest.h>
#include <tapegrad/ops.h>
#include <tapegrad/testing.h>
#include <tapegrad/train.h>

#include <cmath>
#include <cstdio>

namespace tapegrad {
namespace {

using train::Meter;
using train::Progress;

TEST(Progress, ShowsLabelBarShareAndFields) {
  Progress progress(200, {.label = "mlp"});
  progress.set(50, {{"loss", 0.25}, {"accuracy", 0.9731}});
  const std::string line = progress.line(100);
  EXPECT_TRUE(line.starts_with("mlp [#######.......................]  25 %  loss 0.25  accuracy 0.9731  0:00 left"))
      << line;
}

TEST(Progress, KeepsItsFieldsUntilNewOnesCome) {
  Progress progress(10);
  progress.step({{"loss", 2}});
  progress.step();
  EXPECT_EQ(progress.done(), 2);
  EXPECT_NE(progress.line(100).find("loss 2"), std::string::npos);
}

TEST(Progress, FitsEveryWidth) {
  Progress progress(10, {.label = "a model with a name"});
  progress.step({{"loss", 1e-5}, {"accuracy", 1}});
  for (int columns = 0; columns < 120; ++columns)
    EXPECT_LE(int(progress.line(columns).size()), std::max(columns - 1, 0));
  EXPECT_EQ(progress.line(40).find('['), std::string::npos) << "no room for a bar";
}

TEST(Progress, StaysInItsBoundsWhereStepsAreMoreOrNone) {
  Progress more(2), none(0);
  more.set(5);
  EXPECT_NE(more.line(80).find("100 %"), std::string::npos);
  EXPECT_NE(none.line(80).find("100 %"), std::string::npos);
  EXPECT_THROW(Progress(-1), ValueError);
}

TEST(Progress, WritesNothingToAFile) {
  std::FILE* file = std::tmpfile();
  ASSERT_TRUE(file);
  {
    Progress progress(3, {.stream = file, .seconds_between = 0});
    for (int i = 0; i < 3; ++i) progress.step({{"loss", 1}});
    progress.clear();
  }
  EXPECT_EQ(std::ftell(file), 0);
  std::fclose(file);
}

TEST(Meter, IsTheWeightedMean) {
  Meter meter;
  EXPECT_TRUE(std::isnan(meter.mean()));
  meter.add(1, 3);
  meter.add(5);
  EXPECT_EQ(meter.mean(), 2);
  EXPECT_EQ(meter.weight(), 4);
  meter.reset();
  EXPECT_TRUE(std::isnan(meter.mean()));
}

TEST(Accuracy, CountsTheRowsWhoseLargestLogitIsTheLabels) {
  const Tensor logits = tensor({{1, 2, 0}, {5, -1, 3}, {0, 0, 1}, {9, 1, 1}});
  EXPECT_EQ(train::accuracy(logits, tensor({1, 2, 2, 0}, {.dtype = int64})), 0.75);
  EXPECT_EQ(train::accuracy(logits.reshape({2, 2, 3}), tensor({{1, 2}, {2, 0}}, {.dtype = int64})), 0.75);
  EXPECT_TRUE(std::isnan(train::accuracy(zeros({0, 3}), zeros({0}, {.dtype = int64}))));
}

TEST(Accuracy, RejectsLabelsThatDoNotFit) {
  try {
    train::accuracy(zeros({4, 3}), zeros({3}, {.dtype = int64}));
    FAIL();
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "accuracy: logits [..., C] go with labels [...], got [4, 3] and [3]");
  }
  try {
    train::accuracy(zeros({4, 3}), zeros({4}));
    FAIL();
  } catch (const DtypeError& error) {
    EXPECT_STREQ(error.what(), "accuracy: labels must be int64, got float32. Hint: labels.to(int64).");
  }
}

TEST(Accuracy, RecordsNothing) {
  Tensor logits = ones({2, 3}, {.requires_grad = true});
  Tape tape;
  train::accuracy(logits * 2, zeros({2}, {.dtype = int64}));
  EXPECT_EQ(tape.size(), 2u) << "the leaf and the product";
}

}  // namespace
}  // namespace tapegrad
