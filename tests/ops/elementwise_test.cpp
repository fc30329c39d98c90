// Values of the elementwise functions against the C library's formulas, and their gradients, first and
// second, against central differences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include <cmath>
#include <functional>
#include <limits>

namespace tapegrad {
namespace {

const double inf = std::numeric_limits<double>::infinity();
const double nan = std::numeric_limits<double>::quiet_NaN();

struct Case {
  const char* name;
  std::function<Tensor(const Tensor&)> f;
  std::function<double(double)> oracle;
  double low, high;
  bool keeps_nan = true;
};

std::vector<Case> cases() {
  const auto normal = [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; };
  return {
      {"exp", [](const Tensor& x) { return exp(x); }, [](double x) { return std::exp(x); }, -3, 3},
      {"expm1", [](const Tensor& x) { return expm1(x); }, [](double x) { return std::expm1(x); }, -3, 3},
      {"log", [](const Tensor& x) { return log(x); }, [](double x) { return std::log(x); }, 0.2, 3},
      {"log1p", [](const Tensor& x) { return log1p(x); }, [](double x) { return std::log1p(x); }, -0.8, 3},
      {"sqrt", [](const Tensor& x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, 0.2, 3},
      {"rsqrt", [](const Tensor& x) { return rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); }, 0.2, 3},
      {"square", [](const Tensor& x) { return square(x); }, [](double x) { return x * x; }, -3, 3},
      {"reciprocal", [](const Tensor& x) { return reciprocal(x); }, [](double x) { return 1 / x; }, 0.3, 3},
      {"abs", [](const Tensor& x) { return abs(x); }, [](double x) { return std::fabs(x); }, -3, 3},
      {"sin", [](const Tensor& x) { return sin(x); }, [](double x) { return std::sin(x); }, -3, 3},
      {"cos", [](const Tensor& x) { return cos(x); }, [](double x) { return std::cos(x); }, -3, 3},
      {"tanh", [](const Tensor& x) { return tanh(x); }, [](double x) { return std::tanh(x); }, -3, 3},
      {"erf", [](const Tensor& x) { return erf(x); }, [](double x) { return std::erf(x); }, -3, 3},
      {"sigmoid", [](const Tensor& x) { return sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }, -3, 3},
      {"relu", [](const Tensor& x) { return relu(x); }, [](double x) { return x > 0 ? x : 0; }, -3, 3},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.1); }, [](double x) { return x > 0 ? x : 0.1 * x; },
       -3, 3},
      {"elu", [](const Tensor& x) { return elu(x, 0.7); }, [](double x) { return x > 0 ? x : 0.7 * (std::exp(x) - 1); },
       -3, 3},
      {"gelu", [](const Tensor& x) { return gelu(x); }, [=](double x) { return x * normal(x); }, -3, 3},
      {"gelu_tanh", [](const Tensor& x) { return gelu(x, {.approximate = true}); },
       [](double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }, -3, 3},
      {"silu", [](const Tensor& x) { return silu(x); }, [](double x) { return x / (1 + std::exp(-x)); }, -3, 3},
      {"softplus", [](const Tensor& x) { return softplus(x); }, [](double x) { return std::log(1 + std::exp(x)); }, -3,
       3},
      {"pow2", [](const Tensor& x) { return pow(x, 2); }, [](double x) { return std::pow(x, 2); }, -3, 3},
      {"pow3", [](const Tensor& x) { return pow(x, 3); }, [](double x) { return std::pow(x, 3); }, -3, 3},
      {"pow2.5", [](const Tensor& x) { return pow(x, 2.5); }, [](double x) { return std::pow(x, 2.5); }, 0.2, 3},
      {"pow-1", [](const Tensor& x) { return pow(x, -1); }, [](double x) { return 1 / x; }, 0.2, 3},
      {"1.7^x", [](const Tensor& x) { return pow(1.7, x); }, [](double x) { return std::pow(1.7, x); }, -3, 3},
      {"x^x", [](const Tensor& x) { return pow(x, x); }, [](double x) { return std::pow(x, x); }, 0.2, 3},
      {"clamp", [](const Tensor& x) { return clamp(x, -1.1, 0.9); }, [](double x) { return std::clamp(x, -1.1, 0.9); },
       -3, 3},
      {"maximum", [](const Tensor& x) { return maximum(x * x, x + 1); },
       [](double x) { return std::max(x * x, x + 1); }, -3, 3},
      {"minimum", [](const Tensor& x) { return minimum(0.55, x); }, [](double x) { return std::min(0.55, x); }, -3, 3},
      {"where", [](const Tensor& x) { return where(x > 0.3, x * x, 2.0) + where(x < -1, 1.0, x); },
       [](double x) { return (x > 0.3 ? x * x : 2) + (x < -1 ? 1 : x); }, -3, 3, false},
      {"div", [](const Tensor& x) { return 2 / x - x / (x * x + 1) + x / 3; },
       [](double x) { return 2 / x - x / (x * x + 1) + x / 3; }, 0.3, 3},
  };
}

class Elementwise : public testing::TestWithParam<Case> {};

// 97 numbers: a whole vector of any width and a rest; none on a kink.
Tensor inputs(const Case& c, Dtype dtype) { return linspace(c.low + 0.0037, c.high - 0.0021, 97, {.dtype = dtype}); }

TEST_P(Elementwise, HasTheFormulasValues) {
  const Case& c = GetParam();
  const Tensor x = inputs(c, float64), y = c.f(x), narrow = inputs(c, float32);
  const Tensor narrow_y = c.f(narrow);
  for (size_t i = 0; i < 97; ++i) {
    const double expected = c.oracle(x.data<double>()[i]);
    EXPECT_NEAR(y.data<double>()[i], expected, 1e-13 * (1 + std::fabs(expected)));
    const double rounded = c.oracle(double(narrow.data<float>()[i]));
    EXPECT_NEAR(double(narrow_y.data<float>()[i]), rounded, 4e-7 * (1 + std::fabs(rounded)));
  }
}

TEST_P(Elementwise, HasTheSlopeOfItsValues) {
  const Case& c = GetParam();
  Tensor x = inputs(c, float64).set_requires_grad();
  const double h = 1e-5;
  Tape tape;
  const Tensor first = tape.gradient(c.f(x), {x}, {.gradient = ones_like(x), .create_graph = true})[0];
  const Tensor second = first.is_recorded()
                            ? tape.gradient(first, {x}, {.gradient = ones_like(x), .retain_graph = true})[0]
                            : zeros_like(x);
  const auto slope_at = [&](double value) {
    Tensor at = tensor(value, {.dtype = float64, .requires_grad = true});
    Tape inner;
    return inner.gradient(c.f(at), {at})[0].item();
  };
  for (size_t i = 0; i < 97; ++i) {
    const double value = x.data<double>()[i];
    const double slope = (c.oracle(value + h) - c.oracle(value - h)) / (2 * h);
    EXPECT_NEAR(first.data<double>()[i], slope, 1e-7 * (1 + std::fabs(slope))) << value;
    EXPECT_NEAR(slope_at(value), slope, 1e-7 * (1 + std::fabs(slope))) << value;
    const double curvature = (slope_at(value + h) - slope_at(value - h)) / (2 * h);
    EXPECT_NEAR(second.data<double>()[i], curvature, 1e-6 * (1 + std::fabs(curvature))) << value;
  }
}

TEST_P(Elementwise, TakesAnyShape) {
  const Case& c = GetParam();
  const Tensor x = inputs(c, float32);
  EXPECT_EQ(c.f(zeros({0, 3})).shape(), (Shape{0, 3}));
  const Tensor scalar = full({}, 0.75);
  EXPECT_EQ(c.f(scalar).shape(), Shape{});
  EXPECT_EQ(c.f(full({1, 1}, 0.75)).item(), c.f(scalar).item());
  const Tensor matrix = x.reshape({97, 1}).expand({97, 3}), strided = matrix.transpose(0, 1);
  EXPECT_EQ(c.f(strided).to_vector<float>(), c.f(strided.contiguous()).to_vector<float>());
}

TEST_P(Elementwise, LetsNanThrough) {
  const Case& c = GetParam();
  if (!c.keeps_nan) return;
  for (Dtype dtype : {float32, float64}) EXPECT_TRUE(std::isnan(c.f(full({}, nan, {.dtype = dtype})).item()));
}

INSTANTIATE_TEST_SUITE_P(All, Elementwise, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
  return name;
});

double slope(const std::function<Tensor(const Tensor&)>& f, double at) {
  Tensor x = tensor(at, {.dtype = float64, .requires_grad = true});
  Tape tape;
  return tape.gradient(f(x), {x})[0].item();
}

TEST(Kinks, HaveTheGradientsOfPyTorch) {
  EXPECT_EQ(slope([](const Tensor& x) { return relu(x); }, 0), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return abs(x); }, 0), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return leaky_relu(x, 0.1); }, 0), 0.1);
  EXPECT_EQ(slope([](const Tensor& x) { return clamp(x, -1, 1); }, 1), 1);
  EXPECT_EQ(slope([](const Tensor& x) { return clamp(x, -1, 1); }, -1), 1);
  EXPECT_EQ(slope([](const Tensor& x) { return clamp(x, -1, 1); }, 1.5), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return maximum(x, 2.0); }, 2), 0.5);
  EXPECT_EQ(slope([](const Tensor& x) { return minimum(x, 2.0); }, 2), 0.5);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(x, 0); }, 0), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(x, 1); }, 0), 1);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(0, x); }, 2), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(zeros({}, {.dtype = float64}), x); }, 2), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(x, zeros({}, {.dtype = float64})); }, 0), 0);
  EXPECT_TRUE(std::isnan(slope([](const Tensor& x) { return pow(full({}, -2, {.dtype = float64}), x); }, 2)));
}

TEST(LargeArguments, StayFinite) {
  for (Dtype dtype : {float32, float64}) {
    const auto at = [&](auto f, double x) { return f(full({}, x, {.dtype = dtype})).item(); };
    const auto soft = [](const Tensor& x) { return softplus(x); };
    EXPECT_EQ(at(soft, 300), 300);
    EXPECT_NEAR(at(soft, -300), 0, 1e-30);
    EXPECT_EQ(at(soft, inf), inf);
    EXPECT_EQ(at(soft, -inf), 0);
    EXPECT_EQ(at([](const Tensor& x) { return sigmoid(x); }, 300), 1);
    EXPECT_NEAR(at([](const Tensor& x) { return sigmoid(x); }, -300), 0, 1e-30);
    EXPECT_EQ(at([](const Tensor& x) { return elu(x); }, 300), 300);
    EXPECT_EQ(at([](const Tensor& x) { return elu(x); }, -300), -1);
    EXPECT_EQ(at([](const Tensor& x) { return gelu(x); }, 300), 300);
    EXPECT_NEAR(at([](const Tensor& x) { return gelu(x, {.approximate = true}); }, -300), 0, 1e-30);
    EXPECT_NEAR(at([](const Tensor& x) { return silu(x); }, -300), 0, 1e-30);
  }
}

TEST(Dropout, KeepsTheMean) {
  manual_seed(1);
  const Tensor y = dropout(ones({1000000}), 0.3);
  EXPECT_NEAR(mean(y).item(), 1, 2e-3);
  EXPECT_NEAR(mean((y > 0).to(float32)).item(), 0.7, 2e-3);
}

TEST(Dropout, HasOneMaskForOneSeedOnAnyThreads) {
  const Tensor x = ones({70001});
  manual_seed(5);
  set_num_threads(1);
  const Tensor one = dropout(x, 0.5), next = dropout(x, 0.5);
  manual_seed(5);
  set_num_threads(3);
  EXPECT_EQ(dropout(x, 0.5).to_vector<float>(), one.to_vector<float>());
  set_num_threads(1);
  EXPECT_NE(next.to_vector<float>(), one.to_vector<float>());
  Generator own(5);
  EXPECT_EQ(dropout(x, 0.5, true, &own).to_vector<float>(), one.to_vector<float>());
}

TEST(Dropout, GoesBackThroughTheSameMask) {
  Tensor x = rand({33, 7}).set_requires_grad();
  Tape tape;
  const Tensor y = dropout(x, 0.4), dx = tape.gradient(sum(y), {x})[0];
  for (size_t i = 0; i < 33 * 7; ++i) EXPECT_FLOAT_EQ(dx.data<float>()[i] * x.data<float>()[i], y.data<float>()[i]);
}

TEST(Dropout, IsTheIdentityInEvaluationAndZeroAtOne) {
  const Tensor x = rand({100});
  const uint64_t position = default_generator().position;
  EXPECT_EQ(dropout(x, 0.5, false).to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(dropout(x, 0).to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(default_generator().position, position);
  EXPECT_EQ(sum(abs(dropout(x, 1))).item(), 0);
  EXPECT_THROW(dropout(x, 1.5), ValueError);
}

}  // namespace
}  // namespace tapegrad
