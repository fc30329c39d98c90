// The gradients of all operations, made from src/ops/ops.def: nothing here changes for a new one.
#include <tapegrad/testing.h>

#include <cmath>
#include <mutex>
#include <optional>
#include <set>

#include "autograd/observers.h"
#include "ops/operations.h"

namespace tapegrad {

namespace {

class Gradient : public ::testing::TestWithParam<Operation> {};

TEST_P(Gradient, AnalyticMatchesNumeric) {
  for (const Sample& sample : samples_of(GetParam())) {
    const GradcheckReport report =
        gradcheck(sample.f, sample.inputs, {.allow_zero_gradient = sample.zero_gradient, .name = GetParam().name});
    EXPECT_TRUE(report.ok) << sample.label << ": " << report.message;
  }
}

TEST_P(Gradient, SecondDerivativeMatchesNumeric) {
  for (const Sample& sample : samples_of(GetParam())) {
    if (!sample.second_derivative) continue;
    const GradcheckReport report =
        gradgradcheck(sample.f, sample.inputs, {.allow_zero_gradient = sample.zero_gradient, .name = GetParam().name});
    EXPECT_TRUE(report.ok) << sample.label << ": " << report.message;
  }
}

// Outputs and gradients of sum(outputs * c), for inputs of one dtype.
Inputs outputs_and_gradients(const Sample& sample, Dtype dtype) {
  Inputs leaves, wanted;
  for (const Tensor& x : sample.inputs) {
    const bool is_checked = x.defined() && is_floating(x.dtype());
    // Both precisions start from numbers that float32 holds.
    leaves.push_back(is_checked ? x.to(float32).to(dtype).clone().set_requires_grad() : x);
    if (is_checked) wanted.push_back(leaves.back());
  }
  manual_seed(3);
  Tape tape;
  Inputs results = sample.f(leaves);
  Tensor loss = tensor(0, {.dtype = dtype});
  for (const Tensor& y : results)
    if (is_floating(y.dtype()))
      loss = loss + sum(y * linspace(0.5, 1.5, y.numel(), {.dtype = dtype}).reshape(y.shape()));
  for (const Tensor& dx : tape.gradient(loss, wanted)) results.push_back(dx);
  return results;
}

TEST_P(Gradient, Float32IsNearFloat64) {
  for (const Sample& sample : samples_of(GetParam())) {
    if (!sample.in_float32) continue;
    const Inputs narrow = outputs_and_gradients(sample, float32), wide = outputs_and_gradients(sample, float64);
    ASSERT_EQ(narrow.size(), wide.size());
    for (size_t i = 0; i < wide.size(); ++i) {
      if (!is_floating(wide[i].dtype())) continue;
      EXPECT_EQ(narrow[i].dtype(), float32) << sample.label;
      EXPECT_TENSOR_NEAR(narrow[i].to(float64), wide[i], 2e-5) << sample.label << ", result " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, Gradient, ::testing::ValuesIn(all_operations()), name_of_operation);

std::set<std::string> listed_names() {
  std::set<std::string> names;
  for (const Operation& operation : all_operations()) names.insert(operation.name);
  return names;
}

TEST(OpsDef, NamesEachOperationOnce) { EXPECT_EQ(listed_names().size(), all_operations().size()); }

// The names of the operations that could have a gradient, whatever test of this program runs them, recorded or not.
struct Names : TapeObserver {
  std::mutex mutex;
  std::set<std::string> names;
  void on_forward(const OperationView& operation, const Tensors&, const Tensors&) override {
    std::lock_guard lock(mutex);
    if (operation.has_gradient) names.insert(operation.name);
  }
};

// Each of them has to stand in ops.def, where its gradient check comes from. A tape that does not record watches what
// runs outside the tests' own tapes.
class Completeness : public ::testing::Environment {
 public:
  void SetUp() override {
    detail::observer_of_every_tape = &ran_;
    tape_.emplace(TapeOptions{});
    no_grad_.emplace();
  }
  void TearDown() override {
    no_grad_.reset();
    tape_.reset();
    detail::observer_of_every_tape = nullptr;
    const std::set<std::string> listed = listed_names();
    // What the tape and gradcheck() record themselves.
    std::set<std::string> known{"alias", "gradcheck"};
    for (std::string name : ran_.names) {
      // The backward function of an operation is an operation of its own, checked by the second derivative.
      if (const size_t at = name.rfind("_backward"); at != std::string::npos) name.resize(at);
      EXPECT_TRUE(listed.count(name) || known.count(name)) << name << " is recorded and has no line in src/ops/ops.def";
    }
  }

 private:
  Names ran_;
  std::optional<Tape> tape_;
  std::optional<NoGrad> no_grad_;
};

const auto* const completeness = ::testing::AddGlobalTestEnvironment(new Completeness);

}  // namespace
}  // namespace tapegrad
