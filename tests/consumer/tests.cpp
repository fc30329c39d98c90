// A user's test, in one binary with GoogleTest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/parallel.h>

TEST(Consumer, SetsTheNumberOfThreads) {
  tapegrad::set_num_threads(2);
  EXPECT_EQ(tapegrad::get_num_threads(), 2);
}
