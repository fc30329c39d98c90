// Tensors from numbers in braces: how many braces there are says how many axes.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

namespace tapegrad {
namespace {

TEST(TensorOfNumbers, HasAnAxisForEachPairOfBraces) {
  EXPECT_THAT(tensor(1), HasShape({}));
  EXPECT_THAT(tensor({1}), HasShape({1}));
  EXPECT_THAT(tensor({0, 1, 1, 0}), HasShape({4}));
  EXPECT_THAT(tensor({{1}}), HasShape({1, 1}));
  EXPECT_THAT(tensor({{0.5, -1}}), HasShape({1, 2}));
  EXPECT_THAT(tensor({{0}, {1}, {1}, {0}}), HasShape({4, 1}));  // the targets of exclusive or
  EXPECT_THAT(tensor({{0, 0}, {0, 1}, {1, 0}}, {.dtype = float64}), HasShape({3, 2}));
  EXPECT_THAT(tensor({}), HasShape({0}));
}

TEST(TensorOfNumbers, RejectsRowsOfDifferentLength) {
  try {
    tensor({{1, 2}, {3}});
    FAIL() << "rows of different length passed";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "tensor: all rows must have the same length, got 2 and 1");
  }
}

}  // namespace
}  // namespace tapegrad
