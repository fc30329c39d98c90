// The tests that TAPEGRAD_TEST_MODULE makes.
#include <tapegrad/io.h>
#include <tapegrad/ops.h>
#include <tapegrad/random.h>
#include <tapegrad/testing.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "autograd/disagreement.h"

namespace tapegrad::detail {

namespace {

using Values = std::vector<Tensor>;
using Result = ::testing::AssertionResult;

// What was found, a line each.
class Findings {
 public:
  template <class... Args>
  void add(fmt::format_string<Args...> text, Args&&... args) {
    text_ += (text_.empty() ? "" : "\n") + fmt::format(text, std::forward<Args>(args)...);
  }
  // `actual` is to be `expected`, as is_close() sees it.
  void compare(const std::string& what, const Values& actual, const Values& expected,
               const CloseOptions& options = {.rtol = 0, .atol = 0, .equal_nan = true}) {
    if (actual.size() != expected.size())
      return add("{}: there must be {} outputs, got {}", what, expected.size(), actual.size());
    for (size_t i = 0; i < actual.size(); ++i)
      if (const Result result = is_close(actual[i], expected[i], options); !result)
        add("{}, number {}: {}", what, i, result.message());
  }
  operator Result() const {
    return text_.empty() ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << text_;
  }

 private:
  std::string text_;
};

// What is drawn while a module runs (dropout) is the same in each call.
Values run(const ModuleHandle& handle, const Values& inputs) {
  manual_seed(7);
  return handle.call(inputs);
}

bool is_floating_tensor(const Tensor& x) { return x.defined() && is_floating(x.dtype()); }

Tensor weighted_sum(const Values& outputs, const Values& weights) {
  Tensor total;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!is_floating_tensor(outputs[i])) continue;
    const Tensor part = sum(outputs[i] * weights[i]);
    total = total.defined() ? total + part : part;
  }
  return total;
}

// Random weights for the outputs, so that no gradient vanishes by symmetry.
Values weights_for(const Values& outputs) {
  manual_seed(8);
  Values weights;
  for (const Tensor& y : outputs) weights.push_back(is_floating_tensor(y) ? randn_like(y) : Tensor());
  return weights;
}

// dloss / dx of each element of x by central differences, where loss() depends on x.
std::vector<double> differences(Tensor x, const std::function<double()>& loss) {
  std::vector<double> out;
  for (size_t i = 0; i < size_t(x.numel()); ++i) {
    const double value = x.data<double>()[i];
    const double h = std::cbrt(std::numeric_limits<double>::epsilon()) * std::max(1.0, std::abs(value));
    const auto loss_at = [&](double at) {
      x.mutable_data<double>()[i] = at;
      return loss();
    };
    out.push_back((loss_at(value + h) - loss_at(value - h)) / (2 * h));
    x.mutable_data<double>()[i] = value;
  }
  return out;
}

}  // namespace

Result assertion(const GradcheckReport& report) {
  if (report.ok) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << report.message;
}

ModuleHandle ModuleTests::make(Dtype dtype, uint64_t seed) const {
  manual_seed(seed);
  ModuleHandle handle = make_();
  handle.module->to(dtype);
  return handle;
}

Values ModuleTests::inputs(Dtype dtype) const {
  manual_seed(2);
  Values out;
  for (const auto& input : inputs_) {
    const Shape* shape = std::get_if<Shape>(&input);
    const Tensor x = shape ? randn(*shape, {.dtype = float64}) : std::get<Tensor>(input);
    out.push_back(is_floating_tensor(x) ? x.to(dtype) : x);
  }
  return out;
}

Result ModuleTests::gradients_of_inputs() const {
  const ModuleHandle handle = make(float64);
  const Values in = inputs(float64);
  if (std::ranges::none_of(in, is_floating_tensor)) return ::testing::AssertionSuccess();
  return assertion(gradcheck(handle.call, in, {.name = "module"}));
}

Result ModuleTests::gradients_of_parameters() const {
  const ModuleHandle handle = make(float64);
  const Values in = inputs(float64), weights = weights_for(run(handle, in));
  const auto named = handle.module->named_parameters();
  Findings findings;
  Values gradients;
  {
    Tape tape;
    const Tensor loss = weighted_sum(run(handle, in), weights);
    if (!loss.defined()) return ::testing::AssertionFailure() << "the module has no floating output";
    if (named.empty()) return findings;
    gradients = tape.gradient(loss, handle.module->parameters());
  }
  for (size_t p = 0; p < named.size(); ++p) {
    const auto& [name, parameter] = named[p];
    const std::vector<double> analytic = gradients[p].to_vector<double>();
    const std::vector<double> numeric =
        differences(parameter, [&] { return weighted_sum(run(handle, in), weights).item(); });
    double largest = 1, farthest = 0;
    for (double value : numeric) largest = std::max(largest, std::abs(value));
    size_t wrong = 0, worst = 0;
    for (size_t i = 0; i < numeric.size(); ++i) {
      const double apart = std::abs(analytic[i] - numeric[i]);
      if (apart <= 1e-6 * largest) continue;
      if (wrong++ == 0 || !(apart <= farthest)) {
        farthest = apart;
        worst = i;
      }
    }
    if (wrong > 0)
      findings.add("parameter {} {}: {} of {} gradients are wrong, the worst at {}: {}", name, parameter.shape(), wrong,
                   numeric.size(), index_of(int64_t(worst), parameter.shape()),
                   disagreement(analytic[worst], numeric[worst]));
  }
  return findings;
}

Result ModuleTests::parameters_are_registered_and_move() const {
  const ModuleHandle handle = make(float32);
  const Values in = inputs(float32), weights = weights_for(run(handle, in));
  const auto named = handle.module->named_parameters();
  Findings findings;
  Tape tape;
  const Tensor loss = weighted_sum(run(handle, in), weights);
  for (const Tensor& leaf : nn::unregistered_leaves(tape, *handle.module))
    findings.add(
        "a parameter of shape {} is used and not registered: no optimizer would change it. Hint: make it "
        "with "
        "add_parameter()",
        leaf.shape());
  if (named.empty()) return findings;
  tape.backward(loss);
  for (const auto& [name, parameter] : named) {
    const Tensor gradient = parameter.grad();
    if (parameter.numel() > 0 && !(gradient.defined() && amax(abs(gradient)).item() > 0))
      findings.add("parameter {} gets no gradient, so a step does not move it", name);
  }
  return findings;
}

Result ModuleTests::saves_and_loads() const {
  const ModuleHandle saved = make(float32), loaded = make(float32, 99);
  const Values in = inputs(float32);
  const auto file = std::filesystem::temp_directory_path() / fmt::format("tapegrad_module_{}.safetensors", ::getpid());
  run(saved, in);  // moves running statistics, if there are any
  save(file.string(), saved.module->state_dict());
  loaded.module->load_state_dict(load(file.string()));
  std::filesystem::remove(file);
  saved.module->eval();
  loaded.module->eval();
  Findings findings;
  findings.compare("an output after loading", run(loaded, in), run(saved, in));
  return findings;
}

Result ModuleTests::clone_is_independent() const {
  const ModuleHandle handle = make(float32);
  handle.module->eval();
  const Values in = inputs(float32), before = run(handle, in);
  const ModuleHandle clone = handle.clone();
  Findings findings;
  findings.compare("an output of the clone", run(clone, in), before);
  for (Tensor parameter : clone.module->parameters()) parameter.fill_(0.5);
  for (Tensor buffer : clone.module->buffers()) buffer.fill_(1);
  findings.compare("an output after a change of the clone", run(handle, in), before);
  return findings;
}

Result ModuleTests::takes_strided_and_empty_inputs() const {
  const ModuleHandle handle = make(float64);
  handle.module->eval();
  const Values in = inputs(float64);
  Values strided, empty;
  for (const Tensor& x : in) {
    if (!x.defined()) {
      strided.push_back(x);
      empty.push_back(x);
      continue;
    }
    Shape reversed = x.shape(), none = x.shape();
    for (int64_t i = 0; i < x.dim(); ++i) reversed[i] = x.dim() - 1 - i;
    strided.push_back(x.permute(reversed).contiguous().permute(reversed));
    if (none.size() > 0) none[0] = 0;
    empty.push_back(zeros(none, {.dtype = x.dtype()}));
  }
  Findings findings;
  findings.compare("an output of strided inputs", run(handle, strided), run(handle, in),
                   {.rtol = 1e-12, .atol = 1e-12});
  try {
    for (const Tensor& y : run(handle, empty))
      if (const Result result = y.defined() ? is_finite(y) : ::testing::AssertionSuccess(); !result)
        findings.add("an output of empty inputs, {}", result.message());
  } catch (const Error&) {
    // A module may refuse them, in words.
  }
  return findings;
}

Result ModuleTests::can_be_used_twice() const {
  const ModuleHandle handle = make(float64);
  const Values a = inputs(float64);
  Values b;
  for (const Tensor& x : a) b.push_back(is_floating_tensor(x) ? x * 0.5 + 0.25 : x);
  const Values weights = weights_for(run(handle, a)), parameters = handle.module->parameters();
  Findings findings;
  if (parameters.empty()) return findings;
  const auto gradient_of = [&](const std::vector<Values>& uses) {
    Tape tape;
    Tensor loss = zeros({}, {.dtype = float64});
    for (const Values& in : uses) loss = loss + weighted_sum(run(handle, in), weights);
    return tape.gradient(loss, parameters);
  };
  const Values both = gradient_of({a, b}), first = gradient_of({a}), second = gradient_of({b});
  for (size_t i = 0; i < both.size(); ++i)
    findings.compare("the gradient of two uses is the sum, " + handle.module->named_parameters()[i].first, {both[i]},
                     {first[i] + second[i]}, {.rtol = 1e-10, .atol = 1e-10});
  return findings;
}

Result ModuleTests::same_seed_gives_the_same_bits() const {
  const ModuleHandle a = make(float32), b = make(float32);
  const Values in = inputs(float32);
  Findings findings;
  findings.compare("a parameter", a.module->parameters(), b.module->parameters());
  findings.compare("an output of a second run", run(a, in), run(b, in));
  return findings;
}

// The output of a row must be the same where every other row is replaced by a copy of it: a copy, so that
// indices and lengths stay right.
Result ModuleTests::rows_do_not_mix() const {
  if (!options_.batch_axis || inputs_.empty()) return ::testing::AssertionSuccess();
  const int64_t axis = *options_.batch_axis;
  const auto rows = [&](const Tensor& x) { return x.defined() && x.dim() > axis ? x.size(axis) : -1; };
  const ModuleHandle handle = make(float64);
  handle.module->eval();
  const Values in = inputs(float64);
  const int64_t n = rows(in[0]);
  if (n < 2) return ::testing::AssertionSuccess();
  const Values expected = run(handle, in);
  for (int64_t row : {int64_t{0}, n - 1}) {
    const auto of_row = [&](const Tensor& x) { return narrow(x, axis, row, 1); };
    Values copies;
    for (const Tensor& x : in) copies.push_back(rows(x) == n ? of_row(x).expand(x.shape()).contiguous() : x);
    const Values actual = run(handle, copies);
    for (size_t i = 0; i < actual.size(); ++i) {
      if (rows(actual[i]) != n || rows(expected[i]) != n) continue;
      if (!is_close(of_row(actual[i]), of_row(expected[i]), {.rtol = 1e-9, .atol = 1e-9, .equal_nan = true}))
        return ::testing::AssertionFailure() << fmt::format(
                   "row {} of output {} changes with the other rows of the batch. Hint: "
                   "ModuleTestOptions{{.batch_axis = 1}} behind the module says that the batch is another "
                   "axis, "
                   "{{.batch_axis = {{}}}} that rows may meet",
                   row, i);
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace tapegrad::detail
