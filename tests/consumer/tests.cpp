// A user's test, in one binary with GoogleTest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/inspect.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tg = tapegrad;

TEST(Consumer, AddsOnes) { EXPECT_TENSOR_NEAR(tg::ones({2, 3}) + tg::ones({3}), tg::full({2, 3}, 2), 0.0); }

TEST(Consumer, UsesWhatTrainingShows) {
  EXPECT_EQ(tg::train::Progress(2, {.label = "fit"}).line(40), "fit [...........................]   0 %");
}

TEST(Consumer, LooksAtAModel) {
  const tg::nn::Linear linear(3, 2);
  EXPECT_THAT(tg::inspect::summary(linear, tg::ones({4, 3})), testing::HasSubstr("8 parameters"));
}

TEST(Consumer, CatchesErrorsOfTheLibrary) { EXPECT_THROW(tg::ones({2}) + tg::ones({3}), tg::ShapeError); }

TEST(Consumer, UsesTheMatchers) {
  tg::nn::Linear linear(3, 2);
  EXPECT_THAT(linear(tg::ones({4, 3})), tg::HasShape({4, 2}));
}
