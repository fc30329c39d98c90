// Elementwise functions against PyTorch's values and gradients.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include "support/golden.h"

namespace tapegrad {
namespace {

struct GoldenCase {
  const char* name;
  Tensor (*f)(const Tensor&);
};

class ElementwiseGolden : public testing::TestWithParam<GoldenCase> {};

TEST_P(ElementwiseGolden, HasPyTorchsValuesAndGradients) {
  expect_matches(golden(std::string("op/") + GetParam().name), {"input"},
                 [](const std::vector<Tensor>& in) { return std::vector{GetParam().f(in[0])}; });
}

const GoldenCase kCases[] = {
    {"abs", [](const Tensor& x) { return abs(x); }},
    {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 0.5); }},
    {"elu", [](const Tensor& x) { return elu(x); }},
    {"erf", [](const Tensor& x) { return erf(x); }},
    {"exp", [](const Tensor& x) { return exp(x); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"gelu_tanh", [](const Tensor& x) { return gelu(x, {.approximate = true}); }},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.1); }},
    {"log", [](const Tensor& x) { return log(abs(x) + 0.1); }},
    {"pow3", [](const Tensor& x) { return pow(x, 3); }},
    {"relu", [](const Tensor& x) { return relu(x); }},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
    {"silu", [](const Tensor& x) { return silu(x); }},
    {"sin", [](const Tensor& x) { return sin(x); }},
    {"softplus", [](const Tensor& x) { return softplus(x); }},
    {"sqrt", [](const Tensor& x) { return sqrt(abs(x) + 0.1); }},
    {"tanh", [](const Tensor& x) { return tanh(x); }},
};

INSTANTIATE_TEST_SUITE_P(All, ElementwiseGolden, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tapegrad
