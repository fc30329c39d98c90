// A user's test, in one binary with GoogleTest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

TEST(Consumer, AddsOnes) {
  EXPECT_EQ(sum(tapegrad::ones({2, 3})).item(), 6);
}

TEST(Consumer, CatchesErrorsOfTheLibrary) {
  EXPECT_THROW(tapegrad::ones({2}) + tapegrad::ones({3}), tapegrad::ShapeError);
}
