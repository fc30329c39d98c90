#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>

#include "ops/expect.h"

namespace tapegrad {
namespace {

TEST(Stack, TakesMoreTensorsThanSixteenBitsCount) {
  Tensor x = ones({1}, {.requires_grad = true});
  Tape tape;
  const std::vector<Tensor> many(70000, x);
  EXPECT_EQ(tape.gradient(sum(stack(many)), {x})[0].item(), 70000);
}

std::vector<float> floats(std::initializer_list<float> list) { return list; }

TEST(Slice, CountsAsPythonDoes) {
  const Tensor x = tensor({0, 1, 2, 3, 4, 5});
  EXPECT_EQ(slice(x, 0, 1, 4).to_vector<float>(), floats({1, 2, 3}));
  EXPECT_EQ(slice(x, 0, -2).to_vector<float>(), floats({4, 5}));
  EXPECT_EQ(slice(x, 0, 0, -1, 2).to_vector<float>(), floats({0, 2, 4}));
  EXPECT_EQ(slice(x, 0, 1, to_end, 3).to_vector<float>(), floats({1, 4}));
  EXPECT_EQ(slice(x, 0, 4, 2).shape(), Shape{0});
  EXPECT_EQ(slice(x, 0, -100, 100).shape(), Shape{6});
  EXPECT_EQ(slice(zeros({0, 3}), 1, 1, 3).shape(), (Shape{0, 2}));
  EXPECT_EQ(message<ValueError>([&] { slice(x, 0, 0, 3, 0); }),
            "slice: step must be at least 1, got 0. Hint: flip() reverses");
}

TEST(Slice, PutsItsGradientInPlace) {
  const Tensor x = zeros({3, 5}, {.requires_grad = true});
  Tape tape;
  tape.backward(slice(x, 1, 1, 5, 2), {.gradient = tensor({{1, 2}, {3, 4}, {5, 6}})});
  EXPECT_EQ(x.grad().to_vector<float>(), floats({0, 1, 0, 2, 0, 0, 3, 0, 4, 0, 0, 5, 0, 6, 0}));
}

TEST(Select, TakesOneEntryAndItsAxisAway) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(x[1].to_vector<float>(), floats({4, 5, 6}));
  EXPECT_EQ(x[-2][2].item(), 3);
  EXPECT_EQ(select(x, 1, -1).to_vector<float>(), floats({3, 6}));
  EXPECT_EQ(message<IndexError>([&] { x[2]; }), "select: index must be in [-2, 1] for axis 0 of [2, 3], got 2");
  EXPECT_EQ(message<IndexError>([&] { tensor(1.0)[0]; }), "select: axis must be in [0, -1] for 0 axes, got 0");
}

TEST(Select, OfEveryStepAddsUpTheGradients) {
  const Tensor x = gaussian({4, 3}).set_requires_grad(), weight = gaussian({4, 3});
  Tape tape;
  Tensor total = zeros({3}, {.dtype = float64});
  for (int64_t t = 0; t < 4; ++t) total = total + x[t] * weight[t];
  tape.backward(sum(total));
  EXPECT_EQ(x.grad().to_vector<double>(), weight.to_vector<double>());
}

TEST(Narrow, RefusesWhatIsNotThere) {
  const Tensor x = tensor({0, 1, 2, 3});
  EXPECT_EQ(narrow(x, 0, -3, 2).to_vector<float>(), floats({1, 2}));
  EXPECT_EQ(message<IndexError>([&] { narrow(x, 0, 2, 3); }),
            "narrow: start 2 and length 3 must lie within axis 0 of [4]");
}

TEST(Views, ShareVersionAndMemoryWithTheirBase) {
  Tensor x = zeros({4, 3});
  Tensor row = x[1], part = narrow(x, 0, 2, 2), piece = split(x, 2)[1], step = unbind(x)[3];
  const uint32_t before = x.version();
  row.fill_(7);
  EXPECT_EQ(x.version(), before + 1);
  EXPECT_EQ(x.to_vector<float>()[3], 7);
  part.fill_(2);
  EXPECT_EQ(piece.to_vector<float>(), std::vector<float>(6, 2.0f));
  step.fill_(5);
  EXPECT_EQ(x.version(), before + 3);
  EXPECT_EQ(part.to_vector<float>()[3], 5);
}

TEST(Views, WrittenToMakeASavedBaseStale) {
  Tensor x = ones({4, 3});
  const Tensor w = ones({4, 3}, {.requires_grad = true});
  Tape tape;
  const Tensor y = sum(x * w);
  Tensor row = x[1];
  row.fill_(7);
  EXPECT_EQ(message<AutogradError>([&] { tape.backward(y); }),
            "mul: the tensor [4, 3] that the forward pass saved was changed in place since (version 1, saved at "
            "0). Hint: go backward first, or change a clone()");
}

TEST(Split, CutsIntoViewsAndPutsTheGradientTogetherOnce) {
  const Tensor x = gaussian({5, 2}).set_requires_grad();
  Tape tape;
  const Tensors pieces = split(x, 2);
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[2].shape(), (Shape{1, 2}));
  EXPECT_EQ(tape.size(), 2u);
  tape.backward(sum(pieces[0]) + 3 * sum(pieces[2]));
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{1, 1, 1, 1, 0, 0, 0, 0, 3, 3}));
}

TEST(Split, TakesSizes) {
  const Tensor x = tensor({{1, 2, 3, 4}, {5, 6, 7, 8}});
  const Tensors pieces = split(x, {1, 0, 3}, 1);
  EXPECT_EQ(pieces[0].to_vector<float>(), floats({1, 5}));
  EXPECT_EQ(pieces[1].shape(), (Shape{2, 0}));
  EXPECT_EQ(pieces[2].to_vector<float>(), floats({2, 3, 4, 6, 7, 8}));
  EXPECT_EQ(message<ShapeError>([&] {
              split(x, Shape{1, 2}, 1);
            }),
            "split: sizes [1, 2] must add up to axis 1 of [2, 4]");
  EXPECT_EQ(chunk(x, 3, 1).size(), 2u);
  EXPECT_EQ(chunk(x, 9, 1).size(), 4u);
}

TEST(Split, TakesAnyNumberOfSizes) {
  const Tensor x = gaussian({2, 66}).set_requires_grad(), weight = gaussian({2, 66});
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < 12; ++i) sizes.push_back(i);  // they add up to 66
  Tape tape;
  const Tensors pieces = split(x, sizes, 1);
  ASSERT_EQ(pieces.size(), 12u);
  Tensor total = zeros({}, {.dtype = float64});
  for (size_t i = 0, start = 0; i < 12; start += i++) {
    EXPECT_EQ(pieces[i].to_vector<double>(), narrow(x.detach(), 1, int64_t(start), int64_t(i)).to_vector<double>());
    if (i != 7) total = total + sum(pieces[i] * narrow(weight, 1, int64_t(start), int64_t(i)));
  }
  tape.backward(total);
  Tensor expected = weight.clone();
  for (int64_t row : {0, 1})
    for (int64_t k = 21; k < 28; ++k) expected.mutable_data<double>()[size_t(row * 66 + k)] = 0;  // piece 7
  EXPECT_EQ(x.grad().to_vector<double>(), expected.to_vector<double>());
  sizes[0] = -1;
  EXPECT_EQ(message<ShapeError>([&] { split(x, sizes, 1); }),
            "split: sizes [-1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] must add up to axis 1 of [2, 66]");
  EXPECT_EQ(message<ShapeError>([&] { split(zeros({0}), std::vector<int64_t>(70000, 0)); }),
            "split: at most 65535 pieces, got 70000");
}

TEST(Chunk, OfAnEmptyAxisGivesAsManyAsAskedFor) {
  const Tensor x = zeros({2, 0}, {.requires_grad = true});
  Tape tape;
  const Tensors pieces = chunk(x, 3, 1);
  ASSERT_EQ(pieces.size(), 3u);
  for (const Tensor& piece : pieces) EXPECT_EQ(piece.shape(), (Shape{2, 0}));
  tape.backward(sum(pieces[1]));
  EXPECT_EQ(x.grad().shape(), (Shape{2, 0}));
  EXPECT_EQ(message<ShapeError>([&] { chunk(x, 70000, 1); }), "split: at most 65535 pieces, got 70000");
}

TEST(Unbind, IsOneRecord) {
  const Tensor x = gaussian({3, 2, 2}).set_requires_grad();
  Tape tape;
  const Tensors steps = unbind(x, 1);
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(tape.size(), 2u);
  EXPECT_EQ(steps[1].to_vector<double>(), select(x.detach(), 1, 1).to_vector<double>());
  tape.backward(sum(steps[1] * steps[1]));
  expect_near(x.grad(), (2 * x.detach() * tensor({0, 1}, {.dtype = float64}).reshape({1, 2, 1})).to_vector<double>());
}

TEST(Concat, JoinsAlongAnyAxis) {
  const Tensor a = tensor({{1, 2}, {3, 4}}), b = tensor({5, 6}).unsqueeze(1);
  EXPECT_EQ(concat({a, b}, 1).to_vector<float>(), floats({1, 2, 5, 3, 4, 6}));
  EXPECT_EQ(concat({a, a.transpose(0, 1)}).to_vector<float>(), floats({1, 2, 3, 4, 1, 3, 2, 4}));
  EXPECT_EQ(concat({a, zeros({0, 2})}).shape(), (Shape{2, 2}));
  EXPECT_EQ(concat(std::vector<Tensor>{a, b}, -1).shape(), (Shape{2, 3}));
  EXPECT_EQ(concat({arange(2), arange(1)}).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 0}));
  EXPECT_EQ(message<ShapeError>([&] {
              concat({a, b});
            }),
            "concat: shapes must be the same but for axis 0, got [2, 2] and, at 1, [2, 1]");
  EXPECT_EQ(message<ValueError>([&] { concat(std::vector<Tensor>{}); }), "concat: at least one tensor is needed");
}

TEST(Stack, MakesANewAxis) {
  const Tensor a = tensor({1, 2}), b = tensor({3, 4});
  EXPECT_EQ(stack({a, b}).to_vector<float>(), floats({1, 2, 3, 4}));
  EXPECT_EQ(stack({a, b}, -1).to_vector<float>(), floats({1, 3, 2, 4}));
  EXPECT_EQ(stack({tensor(1.0), tensor(2.0)}).shape(), Shape{2});
  EXPECT_EQ(message<ShapeError>([&] {
              stack({a, zeros({3})});
            }),
            "stack: all must have one shape, got [2] and, at 1, [3]. Hint: concat() joins sizes");
}

TEST(Stack, OfUnboundStepsIsTheIdentityWithItsGradient) {
  const Tensor x = gaussian({3, 2, 4}).set_requires_grad();
  const Tensor dy = gaussian({2, 3, 4});
  Tape tape;
  const Tensor y = stack(unbind(x, 0), 1);
  EXPECT_EQ(y.to_vector<double>(), x.transpose(0, 1).to_vector<double>());
  tape.backward(y, {.gradient = dy});
  EXPECT_EQ(x.grad().to_vector<double>(), dy.transpose(0, 1).to_vector<double>());
}

TEST(Flip, ReversesAxes) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(flip(x, {1}).to_vector<float>(), floats({3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(flip(x, {0, -1}).to_vector<float>(), floats({6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(flip(zeros({0, 2}), {0}).shape(), (Shape{0, 2}));
}

TEST(Repeat, LaysCopiesOutAsPyTorch) {
  const Tensor x = tensor({{1, 2}, {3, 4}}, {.requires_grad = true});
  EXPECT_EQ(repeat(x, {1, 2}).to_vector<float>(), floats({1, 2, 1, 2, 3, 4, 3, 4}));
  EXPECT_EQ(repeat(x, {2, 1}).to_vector<float>(), floats({1, 2, 3, 4, 1, 2, 3, 4}));
  EXPECT_EQ(repeat(x, {3, 1, 2}).shape(), (Shape{3, 2, 4}));
  EXPECT_EQ(repeat(x, {0, 2}).shape(), (Shape{0, 4}));
  Tape tape;
  tape.backward(sum(repeat(x, {3, 2})));
  EXPECT_EQ(x.grad().to_vector<float>(), std::vector<float>(4, 6.0f));
}

TEST(Tril, KeepsATriangleOfEachMatrix) {
  const Tensor x = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(tril(x).to_vector<float>(), floats({1, 0, 0, 4, 5, 0}));
  EXPECT_EQ(triu(x, 1).to_vector<float>(), floats({0, 2, 3, 0, 0, 6}));
  EXPECT_EQ(tril(x, -5).to_vector<float>(), std::vector<float>(6, 0.0f));
  EXPECT_EQ(triu(x.reshape({1, 2, 3}), -5).to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(message<ShapeError>([] { tril(zeros({3})); }), "tril: takes matrices, got [3]");
}

}  // namespace
}  // namespace tapegrad
