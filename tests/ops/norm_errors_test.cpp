// What every norm does with hard input: one contract for all, and the errors of their float32 numbers against long double. Each norm
// is a function of rows: what it normalizes as one is a row here.
#include <fmt/format.h>
#include <tapegrad/tapegrad.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <functional>
#include <limits>

namespace tapegrad {
namespace {

struct NormOfRows {
  const char* name;
  std::function<Tensor(const Tensor& rows, const Tensor& weight)> run;  // with one gain for all, so that it can be 0
  bool centered = true;
};

Tensor times(const Tensor& weight, int64_t n) { return weight.defined() ? weight.expand({n}).contiguous() : Tensor(); }

const NormOfRows kNorms[] = {
    {"LayerNorm", [](const Tensor& x, const Tensor& w) { return layer_norm(x, {x.size(1)}, times(w, x.size(1))); }},
    {"RMSNorm", [](const Tensor& x, const Tensor& w) { return rms_norm(x, {x.size(1)}, times(w, x.size(1))); }, false},
    {"BatchNorm1d",
     [](const Tensor& x, const Tensor& w) {
       return batch_norm(x.transpose(0, 1), {}, {}, times(w, x.size(0)), {}, {.training = true}).transpose(0, 1);
     }},
    {"BatchNorm2d",  // a row is a channel of two images
     [](const Tensor& x, const Tensor& w) {
       const int64_t n = x.size(0), half = x.size(1) / 2;
       const Tensor images = x.reshape({n, 2, half, 1}).transpose(0, 1);
       return batch_norm(images, {}, {}, times(w, n), {}, {.training = true}).transpose(0, 1).reshape(x.shape());
     }},
    {"GroupNorm",  // a row is a group of two channels
     [](const Tensor& x, const Tensor& w) {
       return group_norm(x.reshape({x.size(0), 2, x.size(1) / 2}), 1, times(w, 2)).reshape(x.shape());
     }},
    {"InstanceNorm",
     [](const Tensor& x, const Tensor& w) {
       return instance_norm(x.unsqueeze(0), times(w, x.size(0))).reshape(x.shape());
     }},
};

struct Case {
  const char* name;
  Tensor x;  // one row, float32
};

Tensor normal(int64_t d, double mean, double deviation) {
  return (randn({1, d}, {.dtype = float64}) * deviation + mean).to(float32);
}

// The published failures of other frameworks, and beyond.
std::vector<Case> cases() {
  manual_seed(5);
  return {{"512 of N(0, 1)", normal(512, 0, 1)},
          {"4 of N(2000, 1)", normal(4, 2000, 1)},
          {"32768 of N(100, 0.01)", normal(32768, 100, 0.01)},
          {"16 of N(1000, 0.005)", normal(16, 1000, 5e-3)},
          {"40000, 40001, 40002, 40003", tensor({{40000, 40001, 40002, 40003}})},
          {"512 of N(1e4, 1)", normal(512, 1e4, 1)},
          {"512 of N(1e6, 1)", normal(512, 1e6, 1)},
          {"512 of N(0, 1e20)", normal(512, 0, 1e20)},
          {"512 of N(0, 1e-20)", normal(512, 0, 1e-20)},
          {"2^20 of N(10, 1)", normal(1 << 20, 10, 1)},
          {"512 times 1234", full({1, 512}, 1234)},
          {"512 times 1e7", full({1, 512}, 1e7)}};
}

using Real = long double;

// y and dx of one row, for the cotangent g: dx = r (g - mean(g) - xhat mean(g xhat)), without mean(g) where nothing is centred.
struct Exact {
  std::vector<Real> y, dx;
};
Exact exact(const std::vector<float>& x, const std::vector<float>& g, bool centered) {
  const size_t d = x.size();
  Real mu = 0, squares = 0, mean_g = 0, mean_gy = 0;
  for (size_t i = 0; centered && i < d; ++i) mu += Real(x[i]) / Real(d);
  for (float v : x) squares += (v - mu) * (v - mu);
  const Real r = 1 / std::sqrt(squares / Real(d) + 1e-5);
  Exact out;
  for (size_t i = 0; i < d; ++i) {
    out.y.push_back((x[i] - mu) * r);
    if (centered) mean_g += Real(g[i]) / Real(d);
    mean_gy += g[i] * out.y[i] / Real(d);
  }
  for (size_t i = 0; i < d; ++i) out.dx.push_back(r * (g[i] - mean_g - out.y[i] * mean_gy));
  return out;
}

// The largest |a - b|, and infinity where a is not finite.
double error(const Tensor& a, const std::vector<Real>& b) {
  double worst = 0;
  size_t i = 0;
  for (float value : a.to_vector<float>()) {
    if (!std::isfinite(value)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, double(std::abs(value - b[i++])));
  }
  return worst;
}

// Outputs up to 8 are rounded by 2.4e-7; what the arithmetic adds must not be seen beside it. Gradients are measured by their
// largest, where they have digits: eps alone holds those of a constant row.
TEST(NormErrors, AreThoseOfRoundingTheResult) {
  fmt::print("| input | {} |\n|---|",
             fmt::join(std::vector{"LayerNorm y", "dx", "RMSNorm y", "dx", "BatchNorm1d y", "dx", "BatchNorm2d y", "dx",
                                   "GroupNorm y", "dx", "InstanceNorm y", "dx"},
                       " | "));
  fmt::print("---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Case& c : cases()) {
    const Tensor g = randn(c.x.shape());
    fmt::print("| {} |", c.name);
    for (const NormOfRows& norm : kNorms) {
      const Exact right = exact(c.x.to_vector<float>(), g.to_vector<float>(), norm.centered);
      const Tensor x = c.x.clone().set_requires_grad();
      Tape tape;
      const Tensor y = norm.run(x, {}), dx = tape.gradient(y, {x}, {.gradient = g})[0];
      Real largest = 0;
      for (Real value : right.dx) largest = std::max(largest, std::abs(value));
      const double y_error = error(y, right.y), dx_error = double(error(dx, right.dx) / largest);
      fmt::print(" {:.1e} | {:.1e} |", y_error, dx_error);
      EXPECT_LE(y_error, 2.5e-7) << norm.name << ", " << c.name;
      EXPECT_LE(dx_error, 2.5e-7) << norm.name << ", " << c.name;
    }
    fmt::print("\n");
  }
}

class NormContract : public ::testing::TestWithParam<NormOfRows> {};
void PrintTo(const NormOfRows& norm, std::ostream* out) { *out << norm.name; }

TEST_P(NormContract, ConstantRowsAreZeroWhereTheyAreCentred) {
  for (double value : {0.0, 3.0, -1234.0, 1e7, 1e30}) {
    const Tensor y = GetParam().run(full({3, 8}, value), {});
    const double size = std::sqrt(value * value + 1e-5);
    EXPECT_TENSOR_NEAR(y, full({3, 8}, GetParam().centered ? 0 : value / size), GetParam().centered ? 0 : 1e-7)
        << value;
  }
}

TEST_P(NormContract, AGainOfZeroGivesZerosAndNoGradientToTheInput) {
  const Tensor x = randn({3, 8}, {.requires_grad = true}), gain = zeros({1}, {.requires_grad = true});
  Tape tape;
  const Tensor y = GetParam().run(x, gain);
  EXPECT_TENSOR_NEAR(y, zeros({3, 8}), 0);
  const auto d = tape.gradient(y, {x, gain}, {.gradient = randn({3, 8})});
  EXPECT_TENSOR_NEAR(d[0], zeros({3, 8}), 0);
  EXPECT_NE(d[1].item(), 0);
}

TEST_P(NormContract, NothingInIsNothingOut) {
  Tensor x = zeros({0, 8}).set_requires_grad(), gain = ones({1}).set_requires_grad();
  if (GetParam().name == std::string("InstanceNorm")) return;  // no channels: not an empty batch
  Tape tape;
  const Tensor y = GetParam().run(x, gain);
  EXPECT_EQ(y.shape(), (Shape{0, 8}));
  EXPECT_TENSOR_NEAR(tape.gradient(sum(y), {gain})[0], zeros({1}), 0);
}

TEST_P(NormContract, NanAndInfinityStayInTheirRow) {
  for (double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Tensor x = randn({5, 8});
    const Tensor g = randn({5, 8}), before = GetParam().run(x, {});
    x.mutable_data<float>()[2 * 8 + 3] = float(bad);
    x.set_requires_grad();
    Tape tape;
    const Tensor y = GetParam().run(x, {}), dx = tape.gradient(y, {x}, {.gradient = g})[0];
    for (int64_t i = 0; i < 5; ++i) {
      if (i == 2) {
        EXPECT_TRUE(std::isnan(y[i].to_vector<float>()[3]));
      } else {
        EXPECT_EQ(y[i].to_vector<float>(), before[i].to_vector<float>());
        EXPECT_THAT(dx[i], IsFinite());
      }
    }
  }
}

TEST_P(NormContract, GradientsOfHugeAndTinyRowsAreFinite) {
  for (double scale : {1e-30, 1e-20, 1e20, 1e30}) {
    const Tensor x = (randn({4, 8}, {.dtype = float64}) * scale).to(float32).set_requires_grad();
    Tape tape;
    const Tensor y = GetParam().run(x, {});
    EXPECT_THAT(y, IsFinite()) << scale;
    EXPECT_THAT(tape.gradient(y, {x}, {.gradient = randn({4, 8})})[0], IsFinite()) << scale;
  }
}

INSTANTIATE_TEST_SUITE_P(AllNorms, NormContract, ::testing::ValuesIn(kNorms),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tapegrad
