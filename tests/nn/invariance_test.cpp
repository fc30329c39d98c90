// The table of invariances of Ba, Kiros, Hinton 2016 (arXiv:1607.06450), table 1, with a row for RMSNorm, and
// what it means for gradients. The "no" cells count as much: they fail for a layer that erases everything.
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <functional>

namespace tapegrad {
namespace {

constexpr double kScale = 3.7;
constexpr int64_t kCases = 16, kIn = 7, kOut = 12, kPlaces = 4;
constexpr TensorOptions k64{.dtype = float64};

// y = norm(x W^T), without eps and without a bias before it.
using Layer = std::function<Tensor(const Tensor& x, const Tensor& w)>;

Tensor layer(const Tensor& x, const Tensor& w) { return layer_norm(linear(x, w), {kOut}, {}, {}, {.eps = 0}); }
Tensor rms(const Tensor& x, const Tensor& w) { return rms_norm(linear(x, w), {kOut}, {}, {.eps = 0}); }
Tensor batch(const Tensor& x, const Tensor& w) {
  return batch_norm(linear(x, w), {}, {}, {}, {}, {.training = true, .eps = 0});
}
Tensor weight_norm(const Tensor& x, const Tensor& w) { return linear(x, w * rsqrt(sum(w * w, 1, {.keepdim = true}))); }

Tensor group(const Tensor& x, const Tensor& w) { return group_norm(linear(x, w).unsqueeze(2), 3, {}, {}, {.eps = 0}); }
// A case is four places, each a row of x, and the channels of w at each.
Tensor instance(const Tensor& x, const Tensor& w) {
  return instance_norm(linear(x, w).reshape({kCases / kPlaces, kPlaces, kOut}).transpose(1, 2), {}, {}, {.eps = 0});
}
Tensor spectral_norm(const Tensor& x, const Tensor& w) {
  nn::SpectralNorm layer(nn::Linear(kIn, kOut, {.bias = false}), {.n_power_iterations = 200});
  layer.to(float64);
  layer.weight_orig.copy_(w);
  return layer(x);
}

// A matrix of ones with `value` in `count` rows.
Tensor row_of(int64_t rows, double value, int64_t count = 1) {
  std::vector<double> factors(size_t(rows), 1);
  std::fill_n(factors.begin() + 2 * count, count, value);
  return from_vector(factors, {rows, 1});
}

double change(const Layer& f, const Tensor& x, const Tensor& w, const Tensor& x2, const Tensor& w2) {
  const std::vector<double> a = f(x, w).to_vector<double>(), b = f(x2, w2).to_vector<double>();
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

struct Row {
  const char* name;
  Layer f;
  bool invariant[6];
  int64_t places = 1;  // rows of x that are one case
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class Invariance : public ::testing::TestWithParam<Row> {};

TEST_P(Invariance, IsWhatTheTableSays) {
  manual_seed(1);
  const Tensor x = randn({kCases, kIn}, k64), w = randn({kOut, kIn}, k64);
  const Tensor shift = randn({kIn}, k64);
  const struct {
    const char* name;
    Tensor x, w;
  } transforms[6] = {{"weight matrix re-scaled", x, w * kScale},
                     {"weight matrix re-centred", x, w + shift},
                     {"weight vector re-scaled", x, w * row_of(kOut, kScale)},
                     {"dataset re-scaled", x * kScale, w},
                     {"dataset re-centred", x + shift, w},
                     {"single case re-scaled", x * row_of(kCases, kScale, GetParam().places), w}};
  for (int i = 0; i < 6; ++i) {
    const double changed = change(GetParam().f, x, w, transforms[i].x, transforms[i].w);
    if (GetParam().invariant[i])
      EXPECT_LE(changed, 1e-10) << transforms[i].name;
    else
      EXPECT_GE(changed, 1e-2) << transforms[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table1, Invariance,
    ::testing::Values(Row{"BatchNorm", batch, {true, false, true, true, true, false}},
                      Row{"WeightNorm", weight_norm, {true, false, true, false, false, false}},
                      Row{"LayerNorm", layer, {true, true, false, true, false, true}},
                      Row{"RMSNorm", rms, {true, false, false, true, false, true}},
                      Row{"GroupNorm", group, {true, true, false, true, false, true}},
                      Row{"InstanceNorm", instance, {true, false, true, true, true, true}, kPlaces},
                      Row{"SpectralNorm", spectral_norm, {true, false, false, false, false, false}}),
    [](const auto& info) { return std::string(info.param.name); });

// dL/dW and dL/da for L = sum(f(x, W) c), where a = x W^T.
struct Slopes {
  Tensor w, a;
};
template <class Norm>
Slopes slopes(Norm norm, const Tensor& x, const Tensor& weight, const Tensor& c) {
  Tensor w = weight.clone().set_requires_grad();
  Tape tape;
  const Tensor a = linear(x, w);
  const std::vector<Tensor> d = tape.gradient(sum(norm(a) * c), {w, a});
  return {d[0], d[1]};
}

class GradientIdentity : public ::testing::Test {
 protected:
  void SetUp() override { manual_seed(2); }
  Tensor x = randn({kCases, kIn}, k64), w = randn({kOut, kIn}, k64), c = randn({kCases, kOut}, k64);
  static Tensor layer_of(const Tensor& a) { return layer_norm(a, {kOut}, {}, {}, {.eps = 0}); }
  static Tensor rms_of(const Tensor& a) { return rms_norm(a, {kOut}, {}, {.eps = 0}); }
  static Tensor batch_of(const Tensor& a) { return batch_norm(a, {}, {}, {}, {}, {.training = true, .eps = 0}); }
};

TEST_F(GradientIdentity, LayerNormGradientIsOrthogonalToTheWeights) {
  EXPECT_NEAR(sum(slopes(layer_of, x, w, c).w * w).item(), 0, 1e-11);
}
TEST_F(GradientIdentity, LayerNormGradientSumsToZeroOverOutputs) {
  EXPECT_TENSOR_NEAR(sum(slopes(layer_of, x, w, c).w, 0), zeros({kIn}, k64), 1e-11);
}
TEST_F(GradientIdentity, LayerNormGradientShrinksAsTheWeightsGrow) {
  EXPECT_TENSOR_NEAR(slopes(layer_of, x, w * kScale, c).w * kScale, slopes(layer_of, x, w, c).w, 1e-11);
}
TEST_F(GradientIdentity, LayerNormRowsHaveNoPartAlongOnesAndAlongXhat) {
  const Tensor da = slopes(layer_of, x, w, c).a;
  EXPECT_TENSOR_NEAR(sum(da, 1), zeros({kCases}, k64), 1e-12);
  EXPECT_TENSOR_NEAR(sum(da * layer(x, w), 1), zeros({kCases}, k64), 1e-12);
}
TEST_F(GradientIdentity, WithEpsTheSlopeAlongXhatIsWhatEpsLeaves) {
  const double eps = 0.3;
  const auto norm = [=](const Tensor& a) { return layer_norm(a, {kOut}, {}, {}, {.eps = eps}); };
  const Tensor a = linear(x, w), centered = a - mean(a, 1, {.keepdim = true});
  const Tensor var = mean(centered * centered, 1, {.keepdim = true}), rstd = rsqrt(var + eps);
  const Tensor xhat = centered * rstd;
  EXPECT_TENSOR_NEAR(sum(slopes(norm, x, w, c).a * xhat, 1, {.keepdim = true}),
                     rstd * sum(c * xhat, 1, {.keepdim = true}) * (eps / (var + eps)), 1e-12);
}
TEST_F(GradientIdentity, BatchNormGradientIsOrthogonalToEachNeuron) {
  const Slopes d = slopes(batch_of, x, w, c);
  EXPECT_TENSOR_NEAR(sum(d.w * w, 1), zeros({kOut}, k64), 1e-11);
  EXPECT_TENSOR_NEAR(sum(d.a, 0), zeros({kOut}, k64), 1e-12);
}
TEST_F(GradientIdentity, RmsNormGradientIsOrthogonalToItsInputOnly) {
  const Tensor da = slopes(rms_of, x, w, c).a;
  EXPECT_TENSOR_NEAR(sum(da * linear(x, w), 1), zeros({kCases}, k64), 1e-11);
  EXPECT_GT(std::abs(sum(da[0]).item()), 1e-3);
}
TEST_F(GradientIdentity, ConstantStatisticsWouldShow) {
  const Tensor a = linear(x, w).detach();
  const Tensor mu = mean(a, 1, {.keepdim = true});
  const auto detached = [&](const Tensor& a) { return (a - mu) * 2.0; };
  EXPECT_GT(std::abs(sum(slopes(detached, x, w, c).a[0]).item()), 1e-3);
}

// For var >> eps the output shrinks by at most eps / (2 var).
TEST(LayerNorm, IsRobustToTheScaleOfItsInputDownToEps) {
  const Tensor row = randn({1, 512}, k64);
  const Tensor xhat = layer_norm(row, {512}, {}, {}, {.eps = 0});
  const Tensor centered = row - mean(row);
  const double var = mean(centered * centered).item();
  for (double scale : {1e4, 1.0, 0.1, 0.03, 0.01}) {
    const Tensor y = layer_norm(row * scale, {512});
    const double shrunk = 1 - sum(y * xhat).item() / 512, bound = 1e-5 / (2 * var * scale * scale);
    EXPECT_LE(shrunk, bound + 1e-14) << scale;
    EXPECT_GE(shrunk, bound * (1 - 3 * bound) - 1e-14) << scale;
  }
}

}  // namespace
}  // namespace tapegrad
