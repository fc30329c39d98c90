// The numbers that NumPy prints after np.random.seed(0), as its documentation and many courses show them.
#include <tapegrad/data.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad::data {
namespace {

TEST(NumpyRandom, RandIsNumpys) {
  EXPECT_TENSOR_NEAR(NumpyRandom(0).rand({5}), {0.5488135, 0.71518937, 0.60276338, 0.54488318, 0.4236548}, 5e-9);
  EXPECT_TENSOR_NEAR(NumpyRandom(42).rand({3}), {0.37454012, 0.95071431, 0.73199394}, 5e-9);
}

TEST(NumpyRandom, RandnIsNumpys) {
  EXPECT_TENSOR_NEAR(NumpyRandom(0).randn({5}), {1.76405235, 0.40015721, 0.97873798, 2.2408932, 1.86755799}, 5e-9);
  EXPECT_TENSOR_NEAR(NumpyRandom(1).randn({2, 2}), {{1.62434536, -0.61175641}, {-0.52817175, -1.07296862}}, 5e-9);
}

// The second of a pair is kept between calls, and through calls of the others.
TEST(NumpyRandom, RandnKeepsTheSecondOfAPair) {
  NumpyRandom random(0);
  EXPECT_TENSOR_NEAR(random.randn({1}), {1.76405235}, 5e-9);
  random.rand({4});
  EXPECT_TENSOR_NEAR(random.randn({1}), {0.40015721}, 5e-9);
}

TEST(NumpyRandom, RandintIsNumpys) {
  EXPECT_TENSOR_NEAR(NumpyRandom(0).randint(0, 10, {6}), {5, 0, 3, 3, 7, 9}, 0);
  EXPECT_TENSOR_NEAR(NumpyRandom(0).randint(3, 4, {2}), {3, 3}, 0);
  EXPECT_THAT([] { NumpyRandom(0).randint(3, 3, {2}); },
              ::testing::ThrowsMessage<ValueError>("randint: the range must be low < high <= low + 2^32, got 3 and 3"));
}

TEST(NumpyRandom, TakesAnyShape) {
  EXPECT_THAT(NumpyRandom(0).rand({2, 0}), HasShape({2, 0}));
  EXPECT_THAT(NumpyRandom(0).randn({}), HasShape({}));
}

}  // namespace
}  // namespace tapegrad::data
