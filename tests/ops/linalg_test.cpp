#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include "ops/expect.h"

namespace tapegrad {
namespace {

// y[i][j] = sum over k of a[i][k] b[k][j], by the definition.
std::vector<double> naive_product(const Tensor& a, const Tensor& b) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const std::vector<double> x = a.to_vector<double>(), w = b.to_vector<double>();
  std::vector<double> y(size_t(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l) y[size_t(i * n + j)] += x[size_t(i * k + l)] * w[size_t(l * n + j)];
  return y;
}

TEST(Matmul, IsTheSumOverTheInnerAxis) {
  const Tensor a = gaussian({5, 7}), b = gaussian({7, 3});
  const Tensor y = matmul(a, b);
  EXPECT_EQ(y.shape(), (Shape{5, 3}));
  expect_near(y, naive_product(a, b));
}

TEST(Matmul, ReadsTransposedAndSlicedViewsAsTheyLie) {
  const Tensor a = gaussian({7, 5}).transpose(0, 1), b = gaussian({3, 7}).transpose(0, 1);
  expect_near(matmul(a, b), naive_product(a, b));
  const Tensor wide = gaussian({5, 20});
  const Tensor part = slice(wide, 1, 3, 17, 2), left = narrow(wide, 1, 4, 7);
  expect_near(matmul(part, b), naive_product(part, b));
  expect_near(matmul(left, b), naive_product(left, b));
  const Tensor repeated = gaussian({1, 7}).expand({5, 7});
  expect_near(matmul(repeated, b), naive_product(repeated, b));
}

TEST(Matmul, TreatsVectorsAsRowsAndColumns) {
  const Tensor v = tensor({1, 2}), m = tensor({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(matmul(v, m).to_vector<float>(), (std::vector<float>{9, 12, 15}));
  EXPECT_EQ(matmul(m.transpose(0, 1), v).to_vector<float>(), (std::vector<float>{9, 12, 15}));
  EXPECT_EQ(matmul(v, v).shape(), Shape{});
  EXPECT_EQ(matmul(v, v).item(), 5);
  EXPECT_EQ(matmul(randn({4, 3, 2}), v).shape(), (Shape{4, 3}));
  EXPECT_EQ(matmul(v, randn({4, 2, 3})).shape(), (Shape{4, 3}));
}

TEST(Matmul, BroadcastsTheBatchAxes) {
  const Tensor a = gaussian({2, 1, 3, 4}), b = gaussian({5, 4, 6});
  const Tensor y = matmul(a, b);
  ASSERT_EQ(y.shape(), (Shape{2, 5, 3, 6}));
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 5; ++j) expect_near(y[i][j], naive_product(a[i][0], b[j]));
  const Tensor folded = matmul(gaussian({2, 5, 3, 4}), gaussian({4, 6}));
  EXPECT_EQ(folded.shape(), (Shape{2, 5, 3, 6}));
}

TEST(Matmul, TakesEmptyMatrices) {
  EXPECT_EQ(matmul(zeros({0, 3}), zeros({3, 2})).shape(), (Shape{0, 2}));
  EXPECT_EQ(matmul(zeros({2, 0}), zeros({0, 3})).to_vector<float>(), std::vector<float>(6, 0.0f));
  EXPECT_EQ(matmul(zeros({0, 2, 3}), zeros({3, 4})).shape(), (Shape{0, 2, 4}));
  EXPECT_EQ(matmul(zeros({4, 2, 0}), zeros({0, 3})).shape(), (Shape{4, 2, 3}));
}

TEST(Matmul, SaysWhichSizesDoNotMatch) {
  EXPECT_EQ(message<ShapeError>([] {
              matmul(zeros({32, 784}), zeros({10, 784}));
            }),
            "matmul: inner sizes must match, got [32, 784] x [10, 784] (784 != 10). Hint: transpose the second "
            "argument?");
  EXPECT_EQ(message<ShapeError>([] {
              matmul(zeros({2, 3}), zeros({4, 5}));
            }),
            "matmul: inner sizes must match, got [2, 3] x [4, 5] (3 != 4)");
  EXPECT_EQ(message<ShapeError>([] { matmul(tensor(2.0), zeros({3})); }),
            "matmul: both must have at least one axis, got [] x [3]. Hint: multiply by a number with *");
  EXPECT_EQ(message<ShapeError>([] {
              matmul(zeros({2, 3, 4}), zeros({3, 4, 5}));
            }),
            "matmul: shapes must broadcast (equal or 1, from the last axis), got [2] and [3]: 2 against 3");
  EXPECT_EQ(message<DtypeError>([] {
              matmul(zeros({2, 2}), zeros({2, 2}, {.dtype = float64}));
            }),
            "matmul: both must have one dtype, got float32 and float64. Hint: convert one with x.to(float32)");
}

TEST(Matmul, RefusesWhatDoesNotFitBlas) {
  const Tensor wide = zeros({1, 1}).expand({1, int64_t(1) << 31});
  EXPECT_EQ(message<ShapeError>([&] {
              matmul(wide.transpose(0, 1), zeros({1, 0}));
            }),
            "matmul: sizes must be less than 2^31, got 2147483648");
}

TEST(Matmul, HasTheGradientsOfBothInputs) {
  Tensor a = gaussian({2, 1, 3, 4}).set_requires_grad(), b = gaussian({5, 4, 6}).set_requires_grad();
  const Tensor dy = gaussian({2, 5, 3, 6});
  Tape tape;
  tape.backward(matmul(a, b), {.gradient = dy});
  ASSERT_EQ(a.grad().shape(), a.shape());
  ASSERT_EQ(b.grad().shape(), b.shape());
  std::vector<double> da(12), db(24);
  for (int64_t j = 0; j < 5; ++j) {
    const std::vector<double> part = naive_product(dy.detach()[1][j], b.detach()[j].transpose(0, 1));
    for (size_t k = 0; k < part.size(); ++k) da[k] += part[k];
  }
  for (int64_t i = 0; i < 2; ++i) {
    const std::vector<double> part = naive_product(a.detach()[i][0].transpose(0, 1), dy[i][3]);
    for (size_t k = 0; k < part.size(); ++k) db[k] += part[k];
  }
  expect_near(a.grad()[1][0], da);
  expect_near(b.grad()[3], db);
}

TEST(Dot, AddsUpInFloat64) {
  const int64_t n = 1 << 20;
  EXPECT_EQ(dot(full({n}, 0.1), ones({n})).item(), double(float(n * double(0.1f))));
  EXPECT_EQ(message<ShapeError>([] { dot(zeros({3}), zeros({4})); }),
            "dot: takes two vectors of one size, got [3] and [4]. Hint: matmul() takes matrices");
}

TEST(Outer, HasEveryProduct) {
  EXPECT_EQ(outer(tensor({1, 2}), tensor({3, 4, 5})).to_vector<float>(), (std::vector<float>{3, 4, 5, 6, 8, 10}));
  EXPECT_EQ(message<ShapeError>([] {
              outer(zeros({3, 1}), zeros({4}));
            }),
            "outer: takes two vectors, got [3, 1] and [4]");
}

TEST(Linear, IsAProductAndABias) {
  const Tensor x = gaussian({2, 3, 4}), weight = gaussian({5, 4}), bias = gaussian({5});
  const Tensor y = linear(x, weight, bias);
  ASSERT_EQ(y.shape(), (Shape{2, 3, 5}));
  expect_near(y, (matmul(x, weight.transpose(0, 1)) + bias).to_vector<double>());
  expect_near(linear(x, weight), matmul(x, weight.transpose(0, 1)).to_vector<double>());
  EXPECT_EQ(linear(x[0][0], weight, bias).shape(), (Shape{5}));
  EXPECT_EQ(linear(zeros({0, 4}), zeros({5, 4}), zeros({5})).shape(), (Shape{0, 5}));
  EXPECT_EQ(linear(zeros({2, 0}), zeros({3, 0}), ones({3})).to_vector<float>(), std::vector<float>(6, 1.0f));
}

TEST(Linear, HasTheGradientsOfItsComposition) {
  const Tensor start = gaussian({4, 2, 3}).transpose(0, 2);
  Tensor x = start.clone().set_requires_grad();
  Tensor weight = gaussian({5, 4}).set_requires_grad(), bias = gaussian({5}).set_requires_grad();
  const Tensor dy = gaussian({3, 2, 5});
  Tape tape;
  const auto fused = tape.gradient(linear(x, weight, bias), {x, weight, bias}, {.gradient = dy});
  const auto composed = tape.gradient(matmul(x, weight.transpose(0, 1)) + bias, {x, weight, bias}, {.gradient = dy});
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(fused[i].shape(), composed[i].shape());
    expect_near(fused[i], composed[i].to_vector<double>());
  }
}

TEST(Linear, SaysWhatDoesNotFit) {
  EXPECT_EQ(message<ShapeError>([] {
              linear(zeros({8, 32}), zeros({10, 784}));
            }),
            "linear: input must end in in_features 784, got input [8, 32]");
  EXPECT_EQ(message<ShapeError>([] {
              linear(zeros({8, 32}), zeros({32}));
            }),
            "linear: weight must be [out_features, in_features], got [32]");
  EXPECT_EQ(message<ShapeError>([] {
              linear(zeros({8, 32}), zeros({10, 32}), zeros({32}));
            }),
            "linear: bias must be [10] for weight [10, 32], got [32]");
}

}  // namespace
}  // namespace tapegrad
