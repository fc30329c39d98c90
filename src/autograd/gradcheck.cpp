// The outputs are subtracted before they are weighted with c, so that what does not change cancels exactly.
// With h = cbrt(eps) the truncation error is about 6e-12 |f'''| and the rounding error 4e-11 |f|: four orders
// below the tolerance. x + h and x - h are rounded, so the difference is divided by the step that was really
// made.
#include <tapegrad/gradcheck.h>
#include <tapegrad/random.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "autograd/disagreement.h"
#include "autograd/state.h"
#include "compute/arrays.h"
#include "core/fail.h"

namespace tapegrad {

namespace {

constexpr double kVacuous = 1e-3;
constexpr const char* kLost = " Hint: a backward function that is not made of operations has no second derivative";

using Values = std::vector<Tensor>;
// The outputs on the given tape, or as plain values where there is none.
using OnTape = std::function<Values(Tape* tape, const Values& inputs)>;

// What is wrong: the end of a check.
struct Rejected {
  std::string text;
};
template <class... Args>
[[noreturn]] void reject(fmt::format_string<Args...> text, Args&&... args) {
  throw Rejected{fmt::format(text, std::forward<Args>(args)...)};
}

bool is_checked(const Tensor& x) { return x.defined() && is_floating(x.dtype()); }

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

double largest_magnitude(const std::vector<double>& values) {
  double largest = 0;
  for (double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// x's values in memory where the elements along each axis lie in reverse order of the axes, with gaps.
Tensor strided_copy(const Tensor& x) {
  if (x.dim() == 0) return x;
  Shape reversed;
  for (int64_t axis = x.dim(); axis-- > 0;) reversed.push_back(axis);
  const Tensor turned = compute::permute(x, reversed);
  Shape wide = turned.shape();
  wide[x.dim() - 1] *= 2;
  const Tensor memory = zeros(wide, {.dtype = x.dtype()});
  compute::put(turned, x.dim() - 1, memory, 0, 2);
  Shape strides = memory.strides();
  strides[x.dim() - 1] = 2;
  return compute::permute(detail::new_view(memory, turned.shape(), strides, 0), reversed);
}

// The sum of y * c over the outputs y that are checked.
Tensor weighted_sum(const Values& outputs, const Values& cotangents, bool constants) {
  detail::InputList inputs;
  Gradients weights;
  double total = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!is_checked(outputs[i])) continue;
    // A first derivative that does not depend on the inputs is a constant, and the differences will show if it
    // is.
    if (!outputs[i].is_recorded() && constants) continue;
    if (!outputs[i].is_recorded()) reject("output {} is detached: no gradient flows from it to the inputs", i);
    inputs.push_back(outputs[i]);
    weights.push_back(cotangents[i]);
    total += dot(outputs[i], cotangents[i]);
  }
  if (inputs.empty() && constants) reject("no output is recorded.{}", kLost);
  return record("gradcheck", tensor(total, {.dtype = float64}), inputs,
                [weights](const Tensor&) -> Gradients { return weights; });
}

class Check {
 public:
  Check(const OnTape& f, const Values& inputs, const GradcheckOptions& options, bool constants)
      : f_(f), options_(options), constants_(constants), before_(default_generator()), name_(options.name) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (is_checked(inputs[i]) && inputs[i].dtype() != float64)
        fail<DtypeError>("gradcheck", "inputs must be float64, input {} is {}. Hint: convert with x.to(float64)", i,
                         inputs[i].dtype());
      values_.push_back(is_checked(inputs[i]) ? detail::contiguous_copy(inputs[i]) : inputs[i]);
    }
    if (std::none_of(inputs.begin(), inputs.end(), is_checked))
      fail<ValueError>("gradcheck", "no input is float64, so there is nothing to check");
  }
  ~Check() { default_generator() = before_; }

  GradcheckReport run() {
    try {
      choose_cotangents();
      const Values first = analytic(cotangents_);
      compare_numeric(first);
      compare_again(first);
      if (!options_.allow_zero_gradient && has_elements_ && report_.max_abs_grad < kVacuous)
        reject(
            "every gradient is below {}, so the check proves nothing. Hint: choose other inputs, or say "
            ".allow_zero_gradient = true",
            kVacuous);
    } catch (const Rejected& why) {
      report_.ok = false;
      report_.message = fmt::format("gradcheck: {}{}{}", name_, name_.empty() ? "" : ", ", why.text);
    }
    return report_;
  }

 private:
  Values call(Tape* tape, const Values& inputs) {
    default_generator() = Generator(options_.seed + 1);
    if (tape) return f_(tape, inputs);
    NoGrad no_grad;
    return f_(nullptr, inputs);
  }

  void choose_cotangents() {
    const Values outputs = call(nullptr, values_);
    default_generator() = Generator(options_.seed);
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& y = outputs[i];
      cotangents_.push_back(is_checked(y) ? randn(y.shape(), {.dtype = float64}) : Tensor());
      if (!is_checked(y)) continue;
      if (y.dtype() != float64) reject("output {} is {} though the inputs are float64", i, y.dtype());
      if (!compute::all_finite(y))
        reject("output {} is not finite: its finite values are in {}", i, compute::range_text(y));
      largest_output_ = std::max(largest_output_, largest_magnitude(y.to_vector<double>()));
      has_elements_ = has_elements_ || y.numel() > 0;
    }
  }

  // J'c for each input.
  Values analytic(const Values& cotangents) {
    Tape tape;
    Values inputs = values_, leaves;
    for (Tensor& x : inputs) {
      if (!is_checked(x)) continue;
      leaves.push_back(detail::contiguous_copy(x).set_requires_grad());
      x = detail::alias_of(leaves.back());
    }
    try {
      const Values outputs = call(&tape, inputs);
      for (const Tensor& y : outputs)
        if (name_.empty() && is_checked(y) && y.is_recorded()) name_ = tape[y.impl()->record].op;
      const Values found = tape.gradient(weighted_sum(outputs, cotangents, constants_), leaves);
      Values gradients;
      for (auto next = found.begin(); const Tensor& x : values_)
        gradients.push_back(is_checked(x) ? *next++ : Tensor());
      return gradients;
    } catch (const AutogradError& error) {
      reject("going backward threw: {}", error.what());
    }
  }

  // c'(f(plus) - f(minus)) / step, at element k of input i.
  double numeric(size_t i, int64_t k) {
    const auto outputs_at = [&](double value) {
      Values changed = values_;
      changed[i] = detail::contiguous_copy(values_[i]);
      changed[i].mutable_data<double>()[size_t(k)] = value;
      return call(nullptr, changed);
    };
    const double x = detail::ptr<double>(values_[i])[k];
    const double h = std::cbrt(std::numeric_limits<double>::epsilon()) * std::max(1.0, std::abs(x));
    const double up = x + h, down = x - h;
    const Values plus = outputs_at(up), minus = outputs_at(down);
    double total = 0;
    for (size_t o = 0; o < plus.size(); ++o)
      if (is_checked(plus[o])) total += dot(compute::sub(plus[o], minus[o]), cotangents_[o]);
    return total / (up - down);
  }

  void compare_numeric(const Values& analytic) {
    int64_t wrong = 0, elements = 0;
    for (size_t i = 0; i < values_.size(); ++i) {
      if (!is_checked(values_[i])) continue;
      std::vector<double> differences;
      for (int64_t k = 0; k < values_[i].numel(); ++k) differences.push_back(numeric(i, k));
      const double largest = largest_magnitude(differences);
      report_.max_abs_grad = std::max(report_.max_abs_grad, largest);
      const double floor = std::max(std::min(1.0, largest), 1e-3 * std::max(1.0, largest_output_));
      const std::vector<double> gradient = analytic[i].to_vector<double>();
      for (size_t k = 0; k < gradient.size(); ++k) {
        ++elements;
        double error = std::abs(gradient[k] - differences[k]) / std::max(std::abs(differences[k]), floor);
        if (!std::isfinite(gradient[k]) || !std::isfinite(differences[k]))
          error = std::numeric_limits<double>::infinity();
        wrong += !(error <= options_.tolerance);
        if (report_.input >= 0 && !(error > report_.max_error)) continue;
        report_.max_error = error;
        report_.input = int64_t(i);
        report_.element = detail::index_of(int64_t(k), values_[i].shape());
        report_.analytic = gradient[k];
        report_.numeric = differences[k];
      }
    }
    if (wrong == 0) return;
    const bool lost = constants_ && report_.analytic == 0;
    reject("input {}, element {}: {}.{}{}", report_.input, report_.element,
           detail::disagreement(report_.analytic, report_.numeric),
           wrong > 1 ? fmt::format(" {} of {} elements are wrong.", wrong, elements) : "", lost ? kLost : "");
  }

  void compare_again(const Values& first) {
    Values strided = cotangents_;
    for (Tensor& c : strided)
      if (c.defined()) c = strided_copy(c);
    const Values second = analytic(cotangents_), third = analytic(strided);
    for (size_t i = 0; i < first.size(); ++i) {
      if (!first[i].defined()) continue;
      const std::vector<double> a = first[i].to_vector<double>(), b = second[i].to_vector<double>(),
                                c = third[i].to_vector<double>();
      if (!a.empty() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) != 0)
        reject("input {}: a second run gives other bits", i);
      for (size_t k = 0; k < a.size(); ++k)
        if (!(std::abs(a[k] - c[k]) <= options_.tolerance * std::max(1.0, std::abs(a[k]))))
          reject("input {}, element {}: {} for a contiguous cotangent and {} for a strided one", i,
                 detail::index_of(int64_t(k), first[i].shape()), a[k], c[k]);
    }
  }

  const OnTape& f_;
  const GradcheckOptions& options_;
  bool constants_;  // outputs may be detached
  Generator before_;
  std::string name_;
  Values values_, cotangents_;
  double largest_output_ = 0;
  bool has_elements_ = false;
  GradcheckReport report_;
};

}  // namespace

GradcheckReport gradcheck(const GradcheckFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  const OnTape run = [&](Tape*, const Values& in) { return f(in); };
  return Check(run, inputs, options, false).run();
}

GradcheckReport gradgradcheck(const GradcheckFunction& f, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options) {
  // The inputs of J'c: those of f, then a cotangent for each floating output.
  Values all = inputs;
  const ptrdiff_t n = ptrdiff_t(inputs.size());
  {
    NoGrad no_grad;
    const Generator before = default_generator();
    default_generator() = Generator(options.seed + 1);
    const Values outputs = f(inputs);
    default_generator() = Generator(options.seed + 2);
    for (const Tensor& y : outputs) all.push_back(is_checked(y) ? randn(y.shape(), {.dtype = float64}) : Tensor());
    default_generator() = before;
  }
  const OnTape run = [&](Tape* outer, const Values& in) {
    std::optional<Tape> inner;
    if (!outer) inner.emplace();
    Tape& tape = outer ? *outer : *inner;
    Values x(in.begin(), in.begin() + n), wanted;
    const Values c(in.begin() + n, in.end());
    for (Tensor& input : x) {
      if (!is_checked(input)) continue;
      if (!outer) input = detail::alias_of(input.detach().set_requires_grad());
      wanted.push_back(input);
    }
    const Tensor loss = weighted_sum(f(x), c, false);
    return tape.gradient(loss, wanted, {.create_graph = outer != nullptr});
  };
  GradcheckOptions named = options;
  if (named.name.empty()) named.name = "second derivative";
  return Check(run, all, named, true).run();
}

}  // namespace tapegrad
