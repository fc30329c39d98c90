#include <tapegrad/ops.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/past_step.h>

#include <charconv>
#include <cmath>
#include <map>
#include <tuple>

#include "core/fail.h"

namespace tapegrad::train {

namespace {

bool floating(const Tensor& x) { return x.defined() && (x.dtype() == float32 || x.dtype() == float64); }

int64_t not_finite_of(const Tensor& x) {
  if (!floating(x)) return 0;
  return x.numel() - int64_t(sum(isfinite(x).to(float64)).item());
}

/// The largest absolute value, NaN where there is one; nothing where there is no value.
std::string largest(const Tensor& x) {
  if (!x.defined() || x.numel() == 0) return "";
  return fmt::format("{:.4g}", max(abs(x.to(float64))).item());
}

double norm_of(const Tensor& x) {
  const Tensor wide = x.to(float64);
  return std::sqrt(sum(wide * wide).item());
}

/// The share of columns of the last axis that are 0 in every row.
double dead_units(const Tensor& x) {
  if (x.dim() == 0 || x.numel() == 0) return 0;
  const Tensor units = amax(abs(x.to(float64)).reshape({-1, x.size(-1)}), 0);
  return mean(eq(units, 0).to(float64)).item();
}

/// What stands under `name`, or under a part's name in front of it, in the order of the parts.
const Tensor* find(const StateDict& state, const std::vector<std::string>& parts, const std::string& name) {
  if (const auto found = state.find(name); found != state.end()) return &found->second;
  for (const std::string& part : parts)
    if (const auto found = state.find(part + "." + name); found != state.end()) return &found->second;
  return nullptr;
}

/// The last operation that ran in a module or below it.
const PastOperation* last_of(const std::vector<PastOperation>& operations, const std::string& module) {
  for (auto operation = operations.rbegin(); operation != operations.rend(); ++operation)
    if (operation->module == module || operation->module.starts_with(module + ".")) return &*operation;
  return nullptr;
}

/// "%17" and "%17.1".
std::pair<const PastOperation*, size_t> numbered(const std::vector<PastOperation>& operations,
                                                 const std::string& name) {
  size_t number = 0, output = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + 1, end, number);
  const bool has_output = read.ec == std::errc() && read.ptr != end && *read.ptr == '.';
  const auto rest = has_output ? std::from_chars(read.ptr + 1, end, output) : read;
  if (rest.ec != std::errc() || rest.ptr != end || number >= operations.size() ||
      output >= operations[number].outputs.size())
    return {nullptr, 0};
  return {&operations[number], output};
}

}  // namespace

Tensor PastStep::operator[](const std::string& name) const {
  constexpr std::string_view suffix = ".grad";
  const bool gradient = name.ends_with(suffix);
  std::string of = gradient ? name.substr(0, name.size() - suffix.size()) : name;
  if (of == "loss" && !gradient) return tensor(loss, {.dtype = float64});
  if (const Tensor* found = find(gradient ? gradients : state, modules, of)) return *found;
  const PastOperation* operation = nullptr;
  size_t output = 0;
  if (of.starts_with('%')) {
    std::tie(operation, output) = numbered(operations, of);
  } else {
    operation = last_of(operations, of);
    for (const std::string& part : modules)
      if (!operation && of.starts_with(part + ".")) operation = last_of(operations, of.substr(part.size() + 1));
  }
  if (operation) {
    const Tensors& from = gradient ? operation->gradients : operation->outputs;
    if (output < from.size() && from[output].defined()) return from[output];
    if (gradient) fail<ValueError>("PastStep", "the loss of step {} does not depend on '{}'", step, of);
  }
  fail<ValueError>("PastStep", "step {} has no '{}'. Hint: print the step, its table has the names", step, name);
}

double PastStep::gradient_norm() const {
  double squares = 0;
  for (const auto& [name, gradient] : gradients) squares += std::pow(norm_of(gradient), 2);
  return std::sqrt(squares);
}

int64_t PastStep::not_finite() const {
  int64_t count = error.empty() && !std::isfinite(loss) ? 1 : 0;
  for (const PastOperation& operation : operations)
    for (const Tensors* list : {&operation.outputs, &operation.gradients})
      for (const Tensor& x : *list) count += not_finite_of(x);
  for (const auto& [name, gradient] : gradients) count += not_finite_of(gradient);
  return count;
}

std::string to_string(const PastStep& past) {
  std::string out =
      fmt::format("step {}: loss {}, gradient norm {:.4g}, {} numbers not finite{}{}\n", past.step, past.loss,
                  past.gradient_norm(), past.not_finite(), past.error.empty() ? "" : ", threw: ", past.error);
  out += fmt::format("{:>6}  {:<24} {:<28} {:<16} {:>10}  {:>10}\n", "", "operation", "module", "shape", "largest",
                     "of grad");
  for (size_t i = 0; i < past.operations.size(); ++i) {
    const PastOperation& operation = past.operations[i];
    const Tensor y = operation.outputs.empty() ? Tensor() : operation.outputs[0];
    const Tensor dy = operation.gradients.empty() ? Tensor() : operation.gradients[0];
    out += fmt::format("{:>6}  {:<24} {:<28} {:<16} {:>10}  {:>10}\n", fmt::format("%{}", i), operation.name,
                       operation.module, y.defined() ? fmt::format("{}", y.shape()) : "", largest(y), largest(dy));
  }
  for (const auto& [name, value] : past.state) {
    const auto gradient = past.gradients.find(name);
    if (gradient == past.gradients.end()) continue;
    out += fmt::format("{:<60} {:<16} {:>10}  {:>10}\n", name, fmt::format("{}", value.shape()), largest(value),
                       largest(gradient->second));
  }
  return out;
}

Condition condition(const std::string& text) {
  std::string plain;
  for (char c : text)
    if (c != ' ') plain += c;
  const size_t sign = plain.find_first_of("<>");
  const std::string left = plain.substr(0, sign);
  const size_t open = left.find('(');
  const std::string quantity = left.substr(0, open);
  const bool of_tensor = open != std::string::npos && left.ends_with(')');
  const std::string name = of_tensor ? left.substr(open + 1, left.size() - open - 2) : "";
  const std::map<std::string, double (*)(const PastStep&)> of_steps{
      {"loss", [](const PastStep& past) { return past.loss; }},
      {"grad_norm", [](const PastStep& past) { return past.gradient_norm(); }},
      {"nan", [](const PastStep& past) { return double(past.not_finite()); }}};
  const std::map<std::string, double (*)(const Tensor&)> of_tensors{
      {"max", [](const Tensor& x) { return max(x.to(float64)).item(); }},
      {"min", [](const Tensor& x) { return min(x.to(float64)).item(); }},
      {"mean", [](const Tensor& x) { return mean(x.to(float64)).item(); }},
      {"norm", norm_of},
      {"nan", [](const Tensor& x) { return double(not_finite_of(x)); }},
      {"dead", dead_units}};
  const bool greater = sign != std::string::npos && plain[sign] == '>';
  double bound = 0;
  bool right = sign == std::string::npos;
  if (!right) {
    const char *begin = plain.data() + sign + 1, *end = plain.data() + plain.size();
    const auto read = std::from_chars(begin, end, bound);
    right = read.ec == std::errc() && read.ptr == end;
  }
  if (!right || (of_tensor ? !of_tensors.contains(quantity) : !of_steps.contains(left)))
    fail<ValueError>("condition",
                     "'{}' is none. Hint: loss > 10, grad_norm > 5, nan, max(NAME) > 3, or min, mean, norm, nan, "
                     "dead of a NAME",
                     text);
  std::function<double(const PastStep&)> value;
  if (of_tensor)
    value = [f = of_tensors.at(quantity), name](const PastStep& past) { return f(past[name]); };
  else
    value = of_steps.at(left);
  return [=, always = sign == std::string::npos](const PastStep& past) {
    const NoGrad no_grad;
    const double x = value(past);
    return always ? x != 0 : std::isnan(x) || (greater ? x > bound : x < bound);
  };
}

}  // namespace tapegrad::train
