// A module of one's own, and its tests in one line.
//
// RMSNorm divides a row by its root mean square and multiplies each feature with a gain that is learned:
//
//   y = weight x / sqrt(mean(x^2) + 1e-5)
//
// TAPEGRAD_TEST_MODULE makes nine GoogleTest tests of it: gradients of the inputs and of every parameter;
// every parameter is registered and moves; save and load; clone is independent; strided and empty input; used
// twice; the same seed gives the same bits; rows of a batch do not mix. Link tapegrad::testing and
// GTest::gtest_main.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

using namespace tapegrad;

struct RMSNorm : nn::Module<RMSNorm> {
  explicit RMSNorm(int64_t size) : weight(add_parameter("weight", ones({size}))) {}
  Tensor forward(const Tensor& x) { return weight * x * rsqrt(mean(x * x, -1, {.keepdim = true}) + 1e-5); }
  nn::Parameter weight;
};

TAPEGRAD_TEST_MODULE(RMSNorm, RMSNorm(6), Shape{4, 6});

// What the nine cannot know is what it should compute.
TEST(RMSNorm, RowsHaveRootMeanSquareOne) {
  const Tensor y = RMSNorm(6)(randn({4, 6}) * 100.0);
  EXPECT_TENSOR_NEAR(mean(y * y, -1), ones({4}), 1e-5);
}

TEST(RMSNorm, IsTheLibrarys) {
  const Tensor x = randn({4, 6});
  EXPECT_TENSOR_NEAR(RMSNorm(6)(x), nn::RMSNorm(6)(x), 1e-6);
}
