// The tests that TAPEGRAD_TEST_MODULE makes.
#include <tapegrad/io.h>
#include <tapegrad/ops.h>
#include <tapegrad/random.h>
#include <tapegrad/testing.h>

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "tensor/impl.h"

namespace tapegrad::detail {

namespace {

using Values = std::vector<Tensor>;

// What is drawn while a module runs (dropout) is the same in each call.
Values run(const ModuleHandle& handle, const Values& inputs) {
  manual_seed(7);
  return handle.call(inputs);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = plain(a), y = plain(b);
  const size_t bytes = size_t(x.numel()) * item_size(x.dtype());
  return bytes == 0 || std::memcmp(ptr<std::byte>(x), ptr<std::byte>(y), bytes) == 0;
}

void expect_same_bits(const Values& a, const Values& b, const char* what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(same_bits(a[i], b[i]))
        << what << ", output " << i << ": " << is_close(a[i], b[i], {0, 0, true}).message();
}

Tensor weighted_sum(const Values& outputs, const Values& weights) {
  Tensor total;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || !is_floating(outputs[i].dtype())) continue;
    const Tensor part = sum(outputs[i] * weights[i]);
    total = total.defined() ? total + part : part;
  }
  return total;
}

// Random weights for the outputs, so that no gradient vanishes by symmetry.
Values weights_for(const Values& outputs) {
  manual_seed(8);
  Values weights;
  for (const Tensor& y : outputs)
    weights.push_back(y.defined() && is_floating(y.dtype()) ? randn_like(y) : Tensor());
  return weights;
}

}  // namespace

::testing::AssertionResult assertion(const GradcheckReport& report) {
  if (report.ok) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << report.message;
}

ModuleHandle ModuleTests::make(Dtype dtype) const {
  manual_seed(1);
  ModuleHandle handle = make_();
  if (dtype != float32) handle.module->to(dtype);
  return handle;
}

Values ModuleTests::inputs(Dtype dtype) const {
  manual_seed(2);
  Values out;
  for (const Shape& shape : shapes_) out.push_back(randn(shape, {.dtype = float64}).to(dtype));
  return out;
}

void ModuleTests::gradients_of_inputs() const {
  const ModuleHandle handle = make(float64);
  EXPECT_TRUE(assertion(gradcheck(handle.call, inputs(float64), {.name = "module"})));
}

void ModuleTests::gradients_of_parameters() const {
  const ModuleHandle handle = make(float64);
  const Values in = inputs(float64), weights = weights_for(run(handle, in));
  const auto named = handle.module->named_parameters();
  Values gradients;
  {
    Tape tape;
    const Tensor loss = weighted_sum(run(handle, in), weights);
    ASSERT_TRUE(loss.defined()) << "the module has no floating output";
    if (named.empty()) return;
    gradients = tape.gradient(loss, handle.module->parameters());
  }
  for (size_t p = 0; p < named.size(); ++p) {
    Tensor parameter = named[p].second;
    const std::vector<double> values = parameter.to_vector<double>(),
                              analytic = gradients[p].to_vector<double>();
    std::vector<double> numeric(values.size());
    double largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double h = std::cbrt(std::numeric_limits<double>::epsilon()) * std::max(1.0, std::abs(values[i]));
      const auto loss_at = [&](double value) {
        parameter.mutable_data<double>()[i] = value;
        return weighted_sum(run(handle, in), weights).item();
      };
      numeric[i] = (loss_at(values[i] + h) - loss_at(values[i] - h)) / (2 * h);
      parameter.mutable_data<double>()[i] = values[i];
      largest = std::max(largest, std::abs(numeric[i]));
    }
    for (size_t i = 0; i < values.size(); ++i)
      EXPECT_LE(std::abs(analytic[i] - numeric[i]), 1e-6 * std::max(1.0, largest))
          << "parameter " << named[p].first << ", element " << i << ": analytic " << analytic[i]
          << ", numeric " << numeric[i];
  }
}

void ModuleTests::parameters_are_registered_and_move() const {
  const ModuleHandle handle = make(float32);
  const Values in = inputs(float32), weights = weights_for(run(handle, in));
  const auto named = handle.module->named_parameters();
  Tape tape;
  const Tensor loss = weighted_sum(run(handle, in), weights);
  for (const Tensor& leaf : nn::unregistered_leaves(tape, *handle.module))
    ADD_FAILURE()
        << "a parameter of shape " << leaf.shape()
        << " is used and not registered: no optimizer would change it. Hint: make it with add_parameter()";
  if (named.empty()) return;
  tape.backward(loss);
  for (const auto& [name, parameter] : named) {
    if (parameter.numel() == 0) continue;
    const Tensor gradient = parameter.grad();
    EXPECT_TRUE(gradient.defined() && amax(abs(gradient)).item() > 0)
        << "parameter " << name << " gets no gradient, so a step does not move it";
  }
}

void ModuleTests::saves_and_loads() const {
  const ModuleHandle saved = make(float32);
  const Values in = inputs(float32);
  const auto file =
      std::filesystem::temp_directory_path() / fmt::format("tapegrad_module_{}.safetensors", ::getpid());
  run(saved, in);  // moves running statistics, if there are any
  save(file.string(), saved.module->state_dict());
  manual_seed(99);
  const ModuleHandle loaded = make_();
  loaded.module->load_state_dict(load(file.string()));
  std::filesystem::remove(file);
  saved.module->eval();
  loaded.module->eval();
  expect_same_bits(run(loaded, in), run(saved, in), "after loading");
}

void ModuleTests::clone_is_independent() const {
  const ModuleHandle handle = make(float32);
  handle.module->eval();
  const Values in = inputs(float32), before = run(handle, in);
  const ModuleHandle clone = handle.clone();
  expect_same_bits(run(clone, in), before, "the clone");
  for (Tensor parameter : clone.module->parameters()) parameter.fill_(0.5);
  for (Tensor buffer : clone.module->buffers()) buffer.fill_(1);
  expect_same_bits(run(handle, in), before, "after a change of the clone");
}

void ModuleTests::takes_strided_and_empty_inputs() const {
  const ModuleHandle handle = make(float64);
  handle.module->eval();
  const Values in = inputs(float64), expected = run(handle, in);
  Values strided, empty;
  for (const Tensor& x : in) {
    Shape reversed = x.shape(), none = x.shape();
    for (int64_t i = 0; i < x.dim(); ++i) reversed[i] = x.dim() - 1 - i;
    strided.push_back(x.permute(reversed).contiguous().permute(reversed));
    if (none.size() > 0) none[0] = 0;
    empty.push_back(zeros(none, {.dtype = float64}));
  }
  const Values actual = run(handle, strided);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    SCOPED_TRACE("strided inputs");
    EXPECT_TENSOR_NEAR(actual[i], expected[i], 1e-12);
  }
  try {
    for (const Tensor& y : run(handle, empty))
      EXPECT_TRUE(!y.defined() || is_finite(y)) << "for empty inputs";
  } catch (const Error&) {
    // A module may refuse them, in words.
  }
}

void ModuleTests::can_be_used_twice() const {
  const ModuleHandle handle = make(float64);
  const Values a = inputs(float64);
  Values b;
  for (const Tensor& x : a) b.push_back(x * 0.5 + 0.25);
  const Values weights = weights_for(run(handle, a)), parameters = handle.module->parameters();
  if (parameters.empty()) return;
  const auto gradient_of = [&](const std::vector<Values>& uses) {
    Tape tape;
    Tensor loss = zeros({}, {.dtype = float64});
    for (const Values& in : uses) loss = loss + weighted_sum(run(handle, in), weights);
    return tape.gradient(loss, parameters);
  };
  const Values both = gradient_of({a, b}), first = gradient_of({a}), second = gradient_of({b});
  for (size_t i = 0; i < both.size(); ++i)
    EXPECT_TENSOR_NEAR(both[i], first[i] + second[i], 1e-10)
        << "the gradient of two uses is the sum, " << handle.module->named_parameters()[i].first;
}

void ModuleTests::same_seed_gives_the_same_bits() const {
  const ModuleHandle a = make(float32), b = make(float32);
  expect_same_bits(a.module->parameters(), b.module->parameters(), "parameters");
  const Values in = inputs(float32);
  expect_same_bits(run(a, in), run(b, in), "a second run");
}

}  // namespace tapegrad::detail
