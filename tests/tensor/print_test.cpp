// Tensors as text: each expected text is what NumPy prints for the same array, with dtype and shape behind
// it.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <sstream>

namespace tapegrad {
namespace {

TEST(Print, ShowsScalars) {
  EXPECT_EQ(to_string(tensor(2.5)), "2.5 float32 []");
  EXPECT_EQ(to_string(tensor(138)), "138. float32 []");
  EXPECT_EQ(to_string(tensor(7, {.dtype = int64})), "7 int64 []");
  EXPECT_EQ(to_string(tensor(1, {.dtype = boolean})), "True boolean []");
  EXPECT_EQ(to_string(Tensor()), "(empty handle)");
}

TEST(Print, AlignsTheColumns) {
  EXPECT_EQ(to_string(tensor({{1, 2.5}, {-3, 0.25}})),
            "[[ 1.    2.5 ]\n"
            " [-3.    0.25]] float32 [2, 2]");
  EXPECT_EQ(to_string(tensor({1, 10, -100}, {.dtype = int64})), "[   1   10 -100] int64 [3]");
  EXPECT_EQ(to_string(tensor({1, 0}, {.dtype = boolean})), "[ True False] boolean [2]");
}

TEST(Print, ShowsTheShortestDigits) {
  EXPECT_EQ(to_string(tensor({0.1, 0.2})), "[0.1 0.2] float32 [2]");
  EXPECT_EQ(to_string(tensor({1.0 / 3})), "[0.33333334] float32 [1]");
  EXPECT_EQ(to_string(tensor({1.0 / 3, 2}, {.dtype = float64})), "[0.33333333 2.        ] float64 [2]");
}

TEST(Print, TurnsScientificWhereNeeded) {
  EXPECT_EQ(to_string(tensor({1e-5, 1}, {.dtype = float64})), "[1.e-05 1.e+00] float64 [2]");
  EXPECT_EQ(to_string(tensor({1.5e10, -2}, {.dtype = float64})), "[ 1.5e+10 -2.0e+00] float64 [2]");
  EXPECT_EQ(to_string(tensor({12345678, 20000}, {.dtype = float64})), "[12345678.    20000.] float64 [2]");
}

TEST(Print, ShowsWhatIsNotFinite) {
  EXPECT_EQ(to_string(tensor({NAN, 1.5, -INFINITY})), "[ nan  1.5 -inf] float32 [3]");
  EXPECT_EQ(to_string(tensor({NAN, INFINITY})), "[nan inf] float32 [2]");
}

TEST(Print, ShowsEmptyTensors) {
  EXPECT_EQ(to_string(zeros({0, 3})), "[] float32 [0, 3]");
  EXPECT_EQ(to_string(zeros({0}, {.dtype = int64})), "[] int64 [0]");
}

TEST(Print, SeparatesMatrices) {
  EXPECT_EQ(to_string(arange(8).reshape({2, 2, 2})),
            "[[[0 1]\n"
            "  [2 3]]\n"
            "\n"
            " [[4 5]\n"
            "  [6 7]]] int64 [2, 2, 2]");
}

TEST(Print, ShowsViews) {
  const Tensor x = arange(6).reshape({2, 3});
  EXPECT_EQ(to_string(x.transpose(0, 1)), "[[0 3]\n [1 4]\n [2 5]] int64 [3, 2]");
  EXPECT_EQ(to_string(tensor({1, 2}).expand({2, 2})), "[[1. 2.]\n [1. 2.]] float32 [2, 2]");
}

TEST(Print, AbbreviatesBeyondAThousand) {
  EXPECT_EQ(to_string(arange(1001)), "[   0    1    2 ...  998  999 1000] int64 [1001]");
  EXPECT_EQ(to_string(arange(10000).reshape({100, 100})),
            "[[   0    1    2 ...   97   98   99]\n"
            " [ 100  101  102 ...  197  198  199]\n"
            " [ 200  201  202 ...  297  298  299]\n"
            " ...\n"
            " [9700 9701 9702 ... 9797 9798 9799]\n"
            " [9800 9801 9802 ... 9897 9898 9899]\n"
            " [9900 9901 9902 ... 9997 9998 9999]] int64 [100, 100]");
}

TEST(Print, BreaksLongLines) {
  EXPECT_EQ(to_string(arange(30)),
            "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
            " 24 25 26 27 28 29] int64 [30]");
}

TEST(Print, ServesStreamsAndFmt) {
  std::ostringstream out;
  out << tensor({1, 2});
  EXPECT_EQ(out.str(), "[1. 2.] float32 [2]");
  EXPECT_EQ(fmt::format("{}", tensor({1, 2})), "[1. 2.] float32 [2]");
}

}  // namespace
}  // namespace tapegrad
