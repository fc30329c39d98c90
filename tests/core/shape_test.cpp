#include <gmock/gmock.h>
#include <tapegrad/detail/scope.h>
#include <tapegrad/error.h>
#include <tapegrad/shape.h>

#include "core/fail.h"

namespace tapegrad {
namespace {

using ::testing::StrEq;
using ::testing::ThrowsMessage;

TEST(Shape, CountsElementsWithoutOverflow) {
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ((Shape{3, 4}).numel(), 12);
  EXPECT_EQ((Shape{3, 0, 4}).numel(), 0);
  const int64_t huge = int64_t(1) << 40;
  EXPECT_THAT(
      [&] {
        Shape({huge, huge}).numel();
      },
      ThrowsMessage<ShapeError>(
          StrEq("shape: the number of elements of [1099511627776, 1099511627776] does not fit 64 bits")));
  EXPECT_THROW(Shape({0, huge, huge}).numel(), ShapeError);
  EXPECT_THAT(
      [] {
        Shape({2, -1}).numel();
      },
      ThrowsMessage<ShapeError>(StrEq("shape: sizes must not be negative, got [2, -1]")));
}

TEST(Shape, HasAtMostEightSizes) {
  EXPECT_EQ((Shape{1, 2, 3, 4, 5, 6, 7, 8}).size(), 8);
  EXPECT_THAT(([] { Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}; }),
              ThrowsMessage<ShapeError>(StrEq("shape: at most 8 sizes, got 9")));
  Shape full{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_THROW(full.push_back(1), ShapeError);
}

TEST(Shape, InsertsAndErases) {
  Shape shape{2, 4};
  shape.insert(1, 3);
  EXPECT_EQ(shape, (Shape{2, 3, 4}));
  shape.erase(0);
  EXPECT_EQ(shape, (Shape{3, 4}));
  EXPECT_EQ(to_string(shape), "[3, 4]");
  EXPECT_EQ(to_string(Shape{}), "[]");
}

TEST(Shape, BroadcastsAsNumPyDoes) {
  EXPECT_EQ(broadcast_shape("add", {3, 1}, {1, 4}), (Shape{3, 4}));
  EXPECT_EQ(broadcast_shape("add", {}, {5}), Shape{5});
  EXPECT_EQ(broadcast_shape("add", {0, 3}, {1, 3}), (Shape{0, 3}));
  EXPECT_EQ(broadcast_shape("add", {2, 1, 4}, {3, 1}), (Shape{2, 3, 4}));
  EXPECT_THAT(
      [] {
        broadcast_shape("add", {2, 3}, {2, 4});
      },
      ThrowsMessage<ShapeError>(StrEq("add: shapes must broadcast (equal or 1, from the last axis), got "
                                      "[2, 3] and [2, 4]: 3 against 4")));
  EXPECT_THROW(broadcast_shape("add", {0}, {2}), ShapeError);
}

TEST(Shape, CountsAxesFromTheEnd) {
  EXPECT_EQ(wrap_axis("sum", -1, 3), 2);
  EXPECT_EQ(wrap_axis("sum", 0, 3), 0);
  EXPECT_THAT([] { wrap_axis("sum", 3, 3); },
              ThrowsMessage<IndexError>(StrEq("sum: axis must be in [-3, 2] for 3 axes, got 3")));
}

TEST(Errors, SayWhichModule) {
  detail::ScopeName encoder{.name = "encoder", .type = "Encoder"}, norm{.name = "norm1", .type = "LayerNorm"};
  const auto message = [](const char* op) {
    try {
      fail<ShapeError>(op, "{} is wrong", 3);
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(message("matmul"), "matmul: 3 is wrong");
  const detail::ModuleScope outer(encoder);
  {
    const detail::ModuleScope inner(norm);
    EXPECT_EQ(message("layer_norm"), "encoder.norm1 (LayerNorm): 3 is wrong");
    EXPECT_EQ(message("matmul"), "encoder.norm1 (LayerNorm): matmul: 3 is wrong");
  }
  EXPECT_EQ(message("matmul"), "encoder (Encoder): matmul: 3 is wrong");
}

}  // namespace
}  // namespace tapegrad
