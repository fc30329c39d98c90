// What is true of every operation of src/ops/ops.def, on the samples that its gradient is checked on.
#include <gtest/gtest.h>

#include "ops/operations.h"
#include "support/scale.h"

namespace tapegrad {
namespace {

bool has_gradient(const Tensor& x) { return x.defined() && is_floating(x.dtype()); }

// The floating results of a sample for these inputs, and the gradients of the inputs that are leaves.
Inputs outputs_and_gradients(const Sample& sample, const Inputs& inputs) {
  Inputs leaves;
  for (const Tensor& x : inputs)
    if (x.defined() && x.requires_grad()) leaves.push_back(x);
  manual_seed(3);  // of dropout
  Tape tape;
  Tensor loss = tensor(0, {.dtype = float64});
  Inputs results;
  for (const Tensor& y : sample.f(inputs)) {
    if (!is_floating(y.dtype())) continue;
    results.push_back(y.detach());
    loss = loss + sum(y * linspace(0.5, 1.5, y.numel(), {.dtype = float64}).reshape(y.shape()));
  }
  if (loss.is_recorded())
    for (const Tensor& dx : tape.gradient(loss, leaves)) results.push_back(dx);
  return results;
}

Inputs leaves_of(const Inputs& inputs) {
  Inputs leaves;
  for (const Tensor& x : inputs) leaves.push_back(has_gradient(x) ? x.detach().set_requires_grad() : x);
  return leaves;
}

class EveryOperation : public ::testing::TestWithParam<Operation> {};

// The same numbers with a stride of two along every axis, and with the axes in the reverse order in memory.
Tensor every_second(const Tensor& x) { return select(stack({x, x}, -1), -1, 0); }
Tensor turned(const Tensor& x) {
  Shape order;
  for (int64_t axis = x.dim() - 1; axis >= 0; --axis) order.push_back(axis);
  return x.permute(order).contiguous().permute(order);
}

TEST_P(EveryOperation, TakesEachInputAsAStridedView) {
  for (const Sample& sample : samples_of(GetParam())) {
    const Inputs want = outputs_and_gradients(sample, leaves_of(sample.inputs));
    for (size_t i = 0; i < sample.inputs.size(); ++i)
      for (const auto& layout : {every_second, turned}) {
        if (!sample.inputs[i].defined()) continue;
        // Turned axes may have no strides that show them in another shape, and then view() refuses.
        if (layout == turned && (GetParam().name == "view" || GetParam().name == "reshape")) continue;
        Inputs inputs = sample.inputs;
        inputs[i] = layout(inputs[i].detach());
        SCOPED_TRACE(sample.label + ", input " + std::to_string(i));
        expect_near_to_scale(outputs_and_gradients(sample, leaves_of(inputs)), want, 1e-13);
      }
  }
}

TEST_P(EveryOperation, GivesEachInputAloneTheGradientThatItHasBesideTheOthers) {
  for (const Sample& sample : samples_of(GetParam())) {
    const Inputs all = outputs_and_gradients(sample, leaves_of(sample.inputs));
    size_t floating = 0;
    for (const Tensor& x : sample.inputs) floating += has_gradient(x);
    if (floating < 2 || all.size() < floating) continue;
    size_t of_input = all.size() - floating;  // its gradient among all results
    for (size_t i = 0; i < sample.inputs.size(); ++i) {
      if (!has_gradient(sample.inputs[i])) continue;
      Inputs inputs = sample.inputs;
      for (Tensor& x : inputs)
        if (x.defined()) x = x.detach();
      inputs[i].set_requires_grad();
      const Inputs alone = outputs_and_gradients(sample, inputs);
      SCOPED_TRACE(sample.label + ", input " + std::to_string(i));
      ASSERT_EQ(alone.size(), all.size() - floating + 1);
      expect_near_to_scale({alone.back()}, {all[of_input++]}, 1e-14);
    }
  }
}

TEST_P(EveryOperation, LeavesItsInputsAsTheyAreAndGoesBackwardTwiceAlike) {
  for (const Sample& sample : samples_of(GetParam())) {
    const Inputs inputs = leaves_of(sample.inputs);
    Inputs before, leaves;
    for (const Tensor& x : inputs) {
      before.push_back(x.defined() ? x.detach().clone() : x);
      if (has_gradient(x)) leaves.push_back(x);
    }
    manual_seed(3);
    Tape tape;
    Tensor loss = tensor(0, {.dtype = float64});
    for (const Tensor& y : sample.f(inputs))
      if (is_floating(y.dtype())) loss = loss + sum(y * y);
    if (loss.is_recorded()) {
      const Inputs first = tape.gradient(loss, leaves, {.retain_graph = true}), second = tape.gradient(loss, leaves);
      for (size_t i = 0; i < first.size(); ++i)
        EXPECT_EQ(first[i].to_vector<double>(), second[i].to_vector<double>()) << sample.label;
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined()) continue;
      EXPECT_EQ(inputs[i].to(float64).to_vector<double>(), before[i].to(float64).to_vector<double>()) << sample.label;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, EveryOperation, ::testing::ValuesIn(all_operations()), name_of_operation);

}  // namespace
}  // namespace tapegrad
