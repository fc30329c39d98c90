// Hard rows. The cases are those on which other frameworks were found wrong; the oracle is long double.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

namespace tapegrad {
namespace {

struct Case {
  const char* name;
  int64_t d;
  double mean, deviation;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::vector<double> exact(const std::vector<float>& x, double eps) {
  const auto d = static_cast<long double>(x.size());
  long double mu = 0, var = 0;
  for (float value : x) mu += value;
  mu /= d;
  for (float value : x) var += (value - mu) * (value - mu);
  const long double rstd = 1 / std::sqrt(var / d + eps);
  std::vector<double> y;
  for (float value : x) y.push_back(double((value - mu) * rstd));
  return y;
}

double worst(const Tensor& x) {
  const std::vector<float> y = layer_norm(x, x.shape()).to_vector<float>();
  const std::vector<double> expected = exact(x.to_vector<float>(), 1e-5);
  double largest = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    if (!std::isfinite(y[i])) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, std::abs(double(y[i]) - expected[i]));
  }
  return largest;
}

class LayerNormNumerics : public ::testing::TestWithParam<Case> {};

TEST_P(LayerNormNumerics, Float32IsRightToOneInAMillion) {
  manual_seed(5);
  const Case& c = GetParam();
  EXPECT_LE(worst((randn({c.d}, {.dtype = float64}) * c.deviation + c.mean).to(float32)), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(PublishedFailures, LayerNormNumerics,
                         ::testing::Values(Case{"Standard", 512, 0, 1}, Case{"MeanOf2000", 4, 2000, 1},
                                           Case{"LongRowOfSmallDeviation", 32768, 100, 0.01},
                                           Case{"MeanOf1000DeviationOfA200th", 16, 1000, 5e-3},
                                           Case{"MeanOf1e4", 512, 1e4, 1}, Case{"MeanOf1e6", 512, 1e6, 1},
                                           Case{"VarianceBeyondFloat", 512, 0, 1e20},
                                           Case{"AMillionElements", 1 << 20, 10, 1}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(LayerNormNumerics, NeighbouringIntegersFarFromZero) {
  EXPECT_LE(worst(tensor({40000, 40001, 40002, 40003})), 1e-6);
  EXPECT_LE(worst(tensor({1448, 1449, 1450})), 1e-6);
}

TEST(LayerNormNumerics, ConstantRowsGiveTheBias) {
  for (double value : {0.0, 1234.0, 1e7, 1e30}) {
    const Tensor x = full({3, 512}, value).set_requires_grad();
    const Tensor bias = randn({512});
    Tape tape;
    const Tensor y = layer_norm(x, {512}, randn({512}), bias);
    EXPECT_TENSOR_NEAR(y, bias.expand({3, 512}).contiguous(), 0) << value;
    EXPECT_THAT(tape.gradient(sum(y * randn({3, 512})), {x})[0], IsFinite()) << value;
  }
}

TEST(LayerNormNumerics, ConstantRowsHaveTheSlopeThatEpsLeaves) {
  Tensor x = full({1, 4}, 3, {.dtype = float64, .requires_grad = true});
  const Tensor g = tensor({1, 2, 3, 6}, {.dtype = float64});
  Tape tape;
  const Tensor dx = tape.gradient(sum(layer_norm(x, {4}) * g), {x})[0];
  EXPECT_TENSOR_NEAR(dx, ((g - 3.0) * (1 / std::sqrt(1e-5))).reshape({1, 4}), 1e-12);
}

TEST(LayerNormNumerics, OneFeatureGivesTheBiasAndTeachesNothingElse) {
  Tensor x = randn({5, 1}).set_requires_grad(), weight = randn({1}).set_requires_grad(),
         bias = randn({1}).set_requires_grad();
  const Tensor g = randn({5, 1});
  Tape tape;
  const Tensor y = layer_norm(x, {1}, weight, bias);
  EXPECT_TENSOR_NEAR(y, bias.detach().expand({5, 1}).contiguous(), 0);
  const std::vector<Tensor> d = tape.gradient(sum(y * g), {x, weight, bias});
  EXPECT_TENSOR_NEAR(d[0], zeros({5, 1}), 0);
  EXPECT_TENSOR_NEAR(d[1], zeros({1}), 0);
  EXPECT_TENSOR_NEAR(d[2], sum(g, 0), 1e-6);
}

TEST(LayerNormNumerics, ABiasWithoutAWeightIsKept) {
  const Tensor x = randn({7, 33}), bias = randn({33});
  EXPECT_TENSOR_NEAR(layer_norm(x, {33}, {}, bias), layer_norm(x, {33}) + bias, 1e-6);
}

TEST(LayerNormNumerics, SumOfAnUnweightedRowHasNoGradient) {
  Tensor x = randn({4, 6}, {.dtype = float64}).set_requires_grad();
  Tape tape;
  EXPECT_TENSOR_NEAR(tape.gradient(sum(layer_norm(x, {6})), {x})[0], zeros({4, 6}, {.dtype = float64}), 1e-14);
}

TEST(LayerNormNumerics, NanStaysInItsRow) {
  for (double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Tensor x = randn({5, 8});
    const Tensor before = layer_norm(x, {8});
    x.mutable_data<float>()[2 * 8 + 3] = float(bad);
    x.set_requires_grad();
    Tape tape;
    const Tensor y = layer_norm(x, {8});
    const Tensor dx = tape.gradient(sum(y * ones({5, 8})), {x})[0];
    for (int64_t i = 0; i < 5; ++i) {
      const std::vector<float> row = y[i].to_vector<float>(), was = before[i].to_vector<float>();
      if (i == 2) {
        EXPECT_TRUE(std::isnan(row[3]));
      } else {
        EXPECT_EQ(row, was);
        EXPECT_THAT(dx[i], IsFinite());
      }
    }
  }
}

TEST(LayerNormNumerics, RowsHaveTheSameBitsAloneAndInBatchesOfAnySize) {
  const Tensor x = randn({64, 37}), weight = randn({37}), bias = randn({37});
  const std::vector<float> together = layer_norm(x, {37}, weight, bias).to_vector<float>();
  for (int64_t size : {1, 2, 3, 5, 17, 64})
    for (int64_t first = 0; first + size <= 64; first += size) {
      const std::vector<float> part = layer_norm(narrow(x, 0, first, size), {37}, weight, bias).to_vector<float>();
      EXPECT_TRUE(std::equal(part.begin(), part.end(), together.begin() + first * 37)) << first << " " << size;
    }
}

TEST(LayerNormNumerics, BitsDoNotDependOnTheNumberOfThreads) {
  const int before = get_num_threads();
  Tensor x = randn({1000, 300}).set_requires_grad(), weight = randn({300}).set_requires_grad(),
         bias = randn({300}).set_requires_grad();
  const Tensor c = randn({1000, 300});
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    Tape tape;
    const Tensor y = layer_norm(x, {300}, weight, bias);
    std::vector<float> all = y.to_vector<float>();
    for (const Tensor& d : tape.gradient(sum(y * c), {x, weight, bias})) {
      const std::vector<float> values = d.to_vector<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
    results.push_back(all);
  }
  set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

// Several blocks of rows and of channels. The oracle is the definition, made of operations in float64.
TEST(BatchNormNumerics, BlocksMakeTheWholeWithTheSameBitsForAnyThreads) {
  const int before = get_num_threads();
  Tensor x = (randn({300, 1500}) * 3 + 50).detach().set_requires_grad();
  Tensor weight = randn({1500}).set_requires_grad(), bias = randn({1500}).set_requires_grad();
  const Tensor c = randn({300, 1500});
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    Tape tape;
    const Tensor y = batch_norm(x, {}, {}, weight, bias, {.training = true});
    const std::vector<Tensor> d = tape.gradient(sum(y * c), {x, weight, bias});
    results.push_back(y.to_vector<float>());
    for (size_t i = 0; i < 3; ++i) {
      const std::vector<float> values = d[i].to_vector<float>();
      results.back().insert(results.back().end(), values.begin(), values.end());
    }
    if (threads != 1) {
      EXPECT_EQ(results.back(), results[0]);
      continue;
    }
    Tensor x64 = x.detach().to(float64).set_requires_grad(), w64 = weight.detach().to(float64).set_requires_grad(),
           b64 = bias.detach().to(float64).set_requires_grad();
    Tape oracle;
    const Tensor centered = x64 - mean(x64, {0});
    const Tensor y64 = centered * rsqrt(mean(centered * centered, {0}) + 1e-5) * w64 + b64;
    const std::vector<Tensor> d64 = oracle.gradient(sum(y64 * c.to(float64)), {x64, w64, b64});
    EXPECT_TENSOR_NEAR(y.detach().to(float64), y64.detach(), 2e-6);
    for (size_t i = 0; i < 3; ++i) EXPECT_TENSOR_NEAR(d[i].to(float64), d64[i], 1e-5);
  }
  set_num_threads(before);
}

// Many rows: every chunk of the parallel sums counts, the last and shorter one too.
TEST(LayerNormNumerics, GradientsOfWeightAndBiasCountEveryRow) {
  for (int64_t rows : {1, 31, 33, 1025, 70001}) {
    Tensor weight = ones({3}, {.dtype = float64, .requires_grad = true});
    Tensor bias = zeros({3}, {.dtype = float64, .requires_grad = true});
    const Tensor x = randn({rows, 3}, {.dtype = float64}), g = randn({rows, 3}, {.dtype = float64});
    Tape tape;
    const Tensor y = layer_norm(x, {3}, weight, bias);
    const std::vector<Tensor> d = tape.gradient(sum(y * g), {weight, bias});
    EXPECT_TENSOR_NEAR(d[0], sum(g * y.detach(), 0), 1e-11) << rows;
    EXPECT_TENSOR_NEAR(d[1], sum(g, 0), 1e-11) << rows;
  }
}

TEST(LayerNorm, AddsABiasWithoutAWeight) {
  for (const Dtype dtype : {float32, float64}) {
    const Tensor x = randn({6, 9}, {.dtype = dtype}), bias = randn({9}, {.dtype = dtype});
    EXPECT_TENSOR_NEAR(layer_norm(x, {9}, {}, bias), layer_norm(x, {9}) + bias, 1e-6);
  }
}

TEST(RmsNorm, GradientsCountEveryRow) {
  for (int64_t rows : {1, 33, 70001}) {
    Tensor weight = ones({3}, {.dtype = float64, .requires_grad = true});
    Tensor x = randn({rows, 3}, {.dtype = float64, .requires_grad = true});
    const Tensor g = randn({rows, 3}, {.dtype = float64});
    Tape tape;
    const Tensor y = rms_norm(x, {3}, weight);
    const std::vector<Tensor> d = tape.gradient(sum(y * g), {x, weight});
    const Tensor xhat = y.detach(), rstd = xhat / x.detach();
    EXPECT_TENSOR_NEAR(d[0], rstd * (g - xhat * mean(g * xhat, 1, {.keepdim = true})), 1e-11) << rows;
    EXPECT_TENSOR_NEAR(d[1], sum(g * xhat, 0), 1e-10) << rows;
  }
}

TEST(RmsNorm, OfACentredRowIsLayerNorm) {
  const Tensor x = 3 + randn({6, 9}, {.dtype = float64});
  EXPECT_TENSOR_NEAR(rms_norm(x - mean(x, 1, {.keepdim = true}), {9}), layer_norm(x, {9}), 1e-12);
}

TEST(RmsNorm, IsRightForHugeAndTinyRows) {
  for (double scale : {1e-3, 1.0, 1e20, 1e30}) {
    const Tensor x = (randn({4, 64}, {.dtype = float64}) * scale).to(float32);
    const Tensor wide = x.to(float64);
    EXPECT_TENSOR_NEAR(rms_norm(x, {64}).to(float64), wide * rsqrt(mean(wide * wide, 1, {.keepdim = true}) + 1e-5),
                       1e-6);
  }
}

}  // namespace
}  // namespace tapegrad
