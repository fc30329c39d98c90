// Values and gradients of single operations against PyTorch's.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include "support/golden.h"

namespace tapegrad {
namespace {

struct Case {
  const char* name;
  Tensor (*f)(const Tensor&);
};

class GoldenOp : public ::testing::TestWithParam<Case> {};

TEST_P(GoldenOp, MatchesPyTorch) {
  const Golden g = golden(std::string("op/") + GetParam().name);
  expect_matches(g, {"input"}, [](const std::vector<Tensor>& in) { return std::vector{GetParam().f(in[0])}; });
}

INSTANTIATE_TEST_SUITE_P(Reductions, GoldenOp,
                         ::testing::Values(Case{"softmax", [](const Tensor& x) { return softmax(x, -1); }},
                                           Case{"log_softmax", [](const Tensor& x) { return log_softmax(x, 0); }},
                                           Case{"logsumexp", [](const Tensor& x) { return logsumexp(x, 1); }},
                                           Case{"sum", [](const Tensor& x) { return sum(x, 0); }},
                                           Case{"mean",
                                                [](const Tensor& x) {
                                                  return mean(x, {0, 2});
                                                }},
                                           Case{"var", [](const Tensor& x) { return var(x, 1); }},
                                           Case{"var_biased",
                                                [](const Tensor& x) { return var(x, 1, {.correction = 0}); }},
                                           Case{"std", [](const Tensor& x) { return tapegrad::std(x, 2); }},
                                           Case{"norm", [](const Tensor& x) { return norm(x); }},
                                           Case{"prod", [](const Tensor& x) { return prod(x, 1); }},
                                           Case{"cumsum", [](const Tensor& x) { return cumsum(x, 1); }},
                                           Case{"max", [](const Tensor& x) { return max(x, 1).values; }},
                                           Case{"amin", [](const Tensor& x) { return amin(x, 2); }},
                                           Case{"transpose", [](const Tensor& x) { return transpose(x, 0, 2); }}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Linear, MatchesPyTorch) {
  expect_matches(golden("linear/basic"), {"input", "param/weight", "param/bias"},
                 [](const std::vector<Tensor>& in) { return std::vector{linear(in[0], in[1], in[2])}; });
  expect_matches(golden("linear/batched_no_bias"), {"input", "param/weight"},
                 [](const std::vector<Tensor>& in) { return std::vector{linear(in[0], in[1])}; });
}

}  // namespace
}  // namespace tapegrad
