// Writing to elements by their indices with a gradient, rolled axes, diagonals: against loops and numbers by hand.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include "ops/expect.h"

namespace tapegrad {
namespace {

using Ints = std::vector<int64_t>;

Tensor ints(const Ints& values, const Shape& shape) { return from_vector(values, shape); }
Tensor ints(const Ints& values) { return ints(values, {int64_t(values.size())}); }

TEST(IndexPut, WritesElementsRowsAndBlocks) {
  const Tensor x = zeros({3, 2});
  EXPECT_TENSOR_NEAR(index_put(x, {ints({0, 2}), ints({1, 0})}, tensor({5, 6})), tensor({{0, 5}, {0, 0}, {6, 0}}), 0);
  EXPECT_TENSOR_NEAR(index_put(x, {ints({2, 0})}, tensor({{1, 2}, {3, 4}})), tensor({{3, 4}, {0, 0}, {1, 2}}), 0);
  EXPECT_TENSOR_NEAR(index_put(x, {ints({1, 1}), ints({0, 0})}, tensor({7, 8})), tensor({{0, 0}, {8, 0}, {0, 0}}), 0)
      << "the last one counts";
  EXPECT_TENSOR_NEAR(index_put(x, {ints({0, 2}, {2, 1}), ints({0, 1})}, tensor(9)), tensor({{9, 9}, {0, 0}, {9, 9}}), 0)
      << "indices and values broadcast";
  EXPECT_TENSOR_NEAR(index_put(x + 1, {ints({1, 1}), ints({0, 0})}, tensor({7, 8}), {.accumulate = true}),
                     tensor({{1, 1}, {16, 1}, {1, 1}}), 0);
  EXPECT_TENSOR_NEAR(index_put(arange(3), {ints({1})}, tensor({9}, {.dtype = int64})),
                     tensor({0, 9, 2}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(index_put(x, {ints({})}, zeros({0, 2})), x, 0);
  EXPECT_TENSOR_NEAR(x, zeros({3, 2}), 0);
}

TEST(IndexPut, HasTheGradientOfWhatIsThereInTheEnd) {
  const Tensor rows = ints({0, 2, 0}), columns = ints({1, 0, 1});
  for (bool accumulate : {false, true}) {
    EXPECT_GRADIENTS(
        [=](const Tensor& a, const Tensor& b) {
          return index_put(a, {rows, columns}, b, {.accumulate = accumulate}) * a;
        },
        gaussian({3, 2}), gaussian({3}));
    EXPECT_GRADIENTS(
        [=](const Tensor& a, const Tensor& b) {
          return index_put(a.transpose(0, 1), {rows}, b, {.accumulate = accumulate});
        },
        gaussian({2, 3}), gaussian({2}));
  }
  const Tensor x = ones({3}, {.requires_grad = true}), values = tensor({5, 6}, {.requires_grad = true});
  Tape tape;
  const Tensor y = index_put(x, {ints({1, 1})}, values);
  const auto dx = tape.gradient(y, {x, values}, {.gradient = tensor({10, 20, 30})});
  EXPECT_TENSOR_NEAR(dx[0], tensor({10, 0, 30}), 0);
  EXPECT_TENSOR_NEAR(dx[1], tensor({0, 20}), 0) << "5 was written over";
}

TEST(IndexPut, SaysWhatDoesNotFit) {
  const Tensor x = zeros({3, 2});
  EXPECT_EQ(message<IndexError>([&] {
              index_put(x, {ints({0, 3})}, zeros({}));
            }),
            "index_put: the index at [1] must be in [0, 3), got 3");
  EXPECT_EQ(message<ShapeError>([&] {
              index_put(x, {ints({0}), ints({0}), ints({0})}, zeros({}));
            }),
            "index_put: there must be an index for one to all of the axes of [3, 2], got 3");
  EXPECT_EQ(message<ShapeError>([&] {
              index_put(x, {ints({0, 1})}, zeros({3}));
            }),
            "index_put: shapes must broadcast (equal or 1, from the last axis), got [2, 2] and [3]: 2 against 3");
  EXPECT_EQ(message<ShapeError>([&] {
              index_put(x, {ints({0})}, zeros({4, 2}));
            }),
            "index_put: values must broadcast to [1, 2], got [4, 2]");
  EXPECT_EQ(message<DtypeError>([&] { index_put(x, {select(x, 1, 0) > 0.0}, zeros({})); }),
            "index_put: indices must be int64, got boolean. Hint: where() and masked_fill() take masks");
  EXPECT_EQ(message<DtypeError>([&] { index_put(x, {ints({0})}, arange(2)); }),
            "index_put: both must have one dtype, got float32 and int64. Hint: convert one with x.to(float32)");
}

TEST(Roll, BringsInAtOneEndWhatLeavesTheOther) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_TENSOR_NEAR(roll(x, 1, 1), tensor({{3, 1, 2}, {6, 4, 5}}), 0);
  EXPECT_TENSOR_NEAR(roll(x, -1, -1), tensor({{2, 3, 1}, {5, 6, 4}}), 0);
  EXPECT_TENSOR_NEAR(roll(x, 7, 0), tensor({{4, 5, 6}, {1, 2, 3}}), 0);
  EXPECT_TENSOR_NEAR(roll(x, 0, 0), x, 0);
  EXPECT_TENSOR_NEAR(roll(x, {1, -1}, {0, 1}), tensor({{5, 6, 4}, {2, 3, 1}}), 0);
  EXPECT_THAT(roll(zeros({0, 2}), 3, 0), HasShape({0, 2}));
  EXPECT_GRADIENTS([](const Tensor& a) { return roll(a, {2, 1}, {1, 0}) * a; }, gaussian({2, 3}));
  EXPECT_EQ(message<ShapeError>([&] {
              roll(x, {1, 2}, {0});
            }),
            "roll: there must be an axis for each shift, got shifts [1, 2] and axes [0]");
  EXPECT_THROW(roll(x, 1, 2), IndexError);
}

TEST(Diag, MakesAMatrixOfAVectorAndTakesItBack) {
  const Tensor x = tensor({1, 2});
  EXPECT_TENSOR_NEAR(diag(x), tensor({{1, 0}, {0, 2}}), 0);
  EXPECT_TENSOR_NEAR(diag(x, 1), tensor({{0, 1, 0}, {0, 0, 2}, {0, 0, 0}}), 0);
  EXPECT_TENSOR_NEAR(diag(x, -1), tensor({{0, 0, 0}, {1, 0, 0}, {0, 2, 0}}), 0);
  for (int64_t k : {-2, -1, 0, 1, 2}) EXPECT_TENSOR_NEAR(diag(diag(x, k), k), x, 0);
  const Tensor wide = arange(8).reshape({2, 4});
  EXPECT_TENSOR_NEAR(diag(wide), tensor({0, 5}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(diag(wide, 2), tensor({2, 7}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(diag(wide, 3), tensor({3}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(diag(wide, -1), tensor({4}, {.dtype = int64}), 0);
  EXPECT_TENSOR_NEAR(diag(wide.transpose(0, 1), 1), tensor({4}, {.dtype = int64}), 0);
  for (int64_t k : {-2, 4, 100}) EXPECT_THAT(diag(wide, k), HasShape({0}));
  EXPECT_THAT(diag(zeros({0})), HasShape({0, 0}));
  Tensor y = zeros({2, 2});
  diag(y).fill_(3);
  EXPECT_TENSOR_NEAR(y, tensor({{3, 0}, {0, 3}}), 0);
  EXPECT_GRADIENTS([](const Tensor& a, const Tensor& b) { return matmul(diag(a, 1), diag(b, -1)); }, gaussian({3}),
                   gaussian({3}));
  EXPECT_GRADIENTS([](const Tensor& a) { return diag(a, 1); }, gaussian({3, 4}));
  EXPECT_EQ(message<ShapeError>([] { diag(zeros({2, 2, 2})); }), "diag: takes a vector or a matrix, got [2, 2, 2]");
}

}  // namespace
}  // namespace tapegrad
