#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>
#include <limits>

#include "ops/expect.h"

namespace tapegrad {
namespace {

using Ints = std::vector<int64_t>;

Tensor ints(const Ints& values, const Shape& shape) { return from_vector<int64_t>(values, shape); }

TEST(Gather, PicksAlongAnAxis) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, {.requires_grad = true});
  const Tensor index = ints({2, 0, 0, 1}, {2, 2});
  Tape tape;
  const Tensor y = gather(x, 1, index);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{3, 1, 4, 5}));
  EXPECT_EQ(gather(x, 0, ints({1, 0, 1}, {1, 3})).to_vector<float>(), (std::vector<float>{4, 2, 6}));
  EXPECT_EQ(gather(x.detach().transpose(0, 1), 0, ints({2, 0}, {1, 2})).to_vector<float>(), (std::vector<float>{3, 4}));
  tape.backward(sum(y * y));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{2, 0, 6, 8, 10, 0}));
}

TEST(Gather, NamesThePositionOfABadIndex) {
  const Tensor x = zeros({2, 3});
  EXPECT_EQ(message<IndexError>([&] {
              gather(x, 1, ints({0, 1, 2, 3}, {2, 2}));
            }),
            "gather: the index at [1, 1] must be in [0, 3), got 3");
  EXPECT_EQ(message<IndexError>([&] {
              gather(x, 1, ints({0, -1}, {1, 2}));
            }),
            "gather: the index at [0, 1] must be in [0, 3), got -1");
  EXPECT_EQ(message<ShapeError>([&] {
              gather(x, 1, ints({0, 0, 0}, {3, 1}));
            }),
            "gather: index must have the axes of x, and none longer but axis 1, got [3, 1] for x [2, 3]");
  EXPECT_EQ(message<DtypeError>([&] {
              gather(x, 1, zeros({2, 1}));
            }),
            "gather: indices must be int64, got float32. Hint: convert with x.to(int64)");
}

TEST(ScatterAdd, AddsUpWhatMeets) {
  const Tensor x = ones({2, 3}), source = tensor({{1, 2}, {3, 4}});
  EXPECT_EQ(scatter_add(x, 1, ints({0, 0, 2, 1}, {2, 2}), source).to_vector<float>(),
            (std::vector<float>{4, 1, 1, 1, 5, 4}));
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(6, 1.0f));
  EXPECT_EQ(message<ShapeError>([&] {
              scatter_add(x, 1, ints({0, 0}, {2, 1}), source);
            }),
            "scatter_add: source must have index's shape [2, 1], got [2, 2]");
}

TEST(IndexSelect, TakesEntriesOfAnyAxis) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}}, {.requires_grad = true});
  EXPECT_EQ(index_select(x, 0, ints({1, 1, 0}, {3})).to_vector<float>(),
            (std::vector<float>{4, 5, 6, 4, 5, 6, 1, 2, 3}));
  Tape tape;
  const Tensor y = index_select(x, 1, ints({2, 2}, {2}));
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{3, 3, 6, 6}));
  tape.backward(sum(y));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 0, 2, 0, 0, 2}));
  EXPECT_EQ(index_add(zeros({3}), 0, ints({1, 1}, {2}), tensor({2, 3})).to_vector<float>(),
            (std::vector<float>{0, 5, 0}));
}

TEST(MaskedFill, ReplacesWhereTheMaskIsTrue) {
  const Tensor x = tensor({{1, 2}, {3, 4}}, {.requires_grad = true});
  const Tensor mask = from_vector<bool>({true, false}, {2});
  Tape tape;
  const Tensor y = masked_fill(x, mask, -9);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{-9, 2, -9, 4}));
  tape.backward(sum(y));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 1, 0, 1}));
  EXPECT_EQ(message<ShapeError>([&] { masked_fill(zeros({2}), x < 0.0, 0); }),
            "masked_fill: mask must broadcast to [2], got [2, 2]");
}

TEST(Sort, IsStableWithNanLast) {
  const Tensor x = tensor({3, std::numeric_limits<double>::quiet_NaN(), 1, 3, 1});
  const auto [values, indices] = sort(x);
  EXPECT_EQ(indices.to_vector<int64_t>(), (Ints{2, 4, 0, 3, 1}));
  EXPECT_TRUE(std::isnan(values.to_vector<float>()[4]));
  EXPECT_EQ(argsort(x, 0, {.descending = true}).to_vector<int64_t>(), (Ints{1, 0, 3, 2, 4}));
  EXPECT_EQ(sort(tensor({{3, 1}, {2, 2}}), 0).values.to_vector<float>(), (std::vector<float>{2, 1, 3, 2}));
}

TEST(Topk, TakesTheLargestInOrder) {
  const Tensor x = tensor({{1, 5, 3}, {9, 7, 8}}, {.requires_grad = true});
  Tape tape;
  const auto [values, indices] = topk(x, 2);
  EXPECT_EQ(values.to_vector<float>(), (std::vector<float>{5, 3, 9, 8}));
  EXPECT_EQ(indices.to_vector<int64_t>(), (Ints{1, 2, 0, 2}));
  EXPECT_EQ(topk(x, 1, 0, {.largest = false}).values.to_vector<float>(), (std::vector<float>{1, 5, 3}));
  tape.backward(sum(values));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{0, 1, 1, 1, 0, 1}));
  EXPECT_EQ(message<IndexError>([&] { topk(x, 4); }), "topk: k must be in [0, 3] for axis -1 of [2, 3], got 4");
}

TEST(OneHot, MarksEachIndex) {
  EXPECT_EQ(one_hot(ints({1, 0}, {2}), 3).to_vector<float>(), (std::vector<float>{0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(message<IndexError>([&] {
              one_hot(ints({1, 3}, {2}), 3);
            }),
            "one_hot: the index at [1] must be in [0, 3), got 3");
}

}  // namespace
}  // namespace tapegrad
