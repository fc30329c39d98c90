// Gradients against central differences.
//
//   c' (f(x + h e_k) - f(x - h e_k)) / 2h  =  (J'c)_k + O(h^2)
//
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

#include "autograd/state.h"
#include "compute/finite.h"
#include "core/fail.h"

namespace tapegrad {

namespace {

constexpr double kVacuous = 1e-3;

using Values = std::vector<Tensor>;
// The outputs on the given tape, or as plain values where there is none.
using OnTape = std::function<Values(Tape* tape, const Values& inputs)>;

bool is_checked(const Tensor& x) {
  return x.defined() && is_floating(x.dtype());
}

Shape index_of(int64_t at, const Shape& shape) {
  Shape index = shape;
  for (int64_t i = shape.size() - 1; i >= 0; --i) {
    index[i] = at % shape[i];
    at /= shape[i];
  }
  return index;
}

Tensor copy_of(const Tensor& x) {
  return from_vector(x.to_vector<double>(), x.shape());
}

// A record of the leaf: a function may return its input as it is, and an output must be on the tape.
Tensor on_tape(const Tensor& leaf) {
  return record("input", leaf.detach(), {leaf}, [](const Tensor& dy) -> Gradients { return {dy}; });
}

// x's values in memory where the elements along each axis lie in reverse order of the axes, with gaps.
Tensor strided_copy(const Tensor& x) {
  Shape strides = x.shape();
  int64_t step = 2;
  for (int64_t i = 0; i < x.dim(); ++i) {
    strides[i] = step;
    step *= std::max<int64_t>(x.shape()[i], 1);
  }
  const Tensor memory = detail::new_tensor({step}, float64);
  std::fill_n(detail::mutable_ptr<double>(memory), step, std::numeric_limits<double>::quiet_NaN());
  const std::vector<double> values = x.to_vector<double>();
  for (int64_t at = 0; at < x.numel(); ++at) {
    const Shape index = index_of(at, x.shape());
    int64_t offset = 0;
    for (int64_t i = 0; i < x.dim(); ++i) offset += index[i] * strides[i];
    detail::mutable_ptr<double>(memory)[offset] = values[size_t(at)];
  }
  return detail::new_view(memory, x.shape(), strides, 0);
}

class Check {
 public:
  Check(const OnTape& f, const Values& inputs, const GradcheckOptions& options, bool constants)
      : f_(f), options_(options), constants_(constants), before_(default_generator()) {
    bool any = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (is_checked(inputs[i]) && inputs[i].dtype() != float64)
        fail<DtypeError>("gradcheck",
                         "inputs must be float64, input {} is {}. Hint: convert with x.to(float64)", i,
                         inputs[i].dtype());
      any = any || is_checked(inputs[i]);
      values_.push_back(is_checked(inputs[i]) ? copy_of(inputs[i]) : inputs[i]);
    }
    if (!any) fail<ValueError>("gradcheck", "no input is float64, so there is nothing to check");
  }
  ~Check() { default_generator() = before_; }

  GradcheckReport run() {
    if (!choose_cotangents()) return report_;
    const Values first = analytic(cotangents_);
    if (!report_.ok) return report_;
    compare_numeric(first);
    if (!report_.ok) return report_;
    compare_again(first);
    if (report_.ok && !options_.allow_zero_gradient && has_elements_ && report_.max_abs_grad < kVacuous)
      reject(fmt::format(
          "every gradient is below {}, so the check proves nothing. Hint: choose other inputs, or say "
          ".allow_zero_gradient = true",
          kVacuous));
    return report_;
  }

 private:
  void reject(const std::string& text) {
    report_.ok = false;
    report_.message = fmt::format("gradcheck: {}{}{}", name_, name_.empty() ? "" : ", ", text);
  }

  Values call(Tape* tape, const Values& inputs) {
    default_generator() = Generator(options_.seed + 1);
    return f_(tape, inputs);
  }

  bool choose_cotangents() {
    const Values outputs = call(nullptr, values_);
    default_generator() = Generator(options_.seed);
    name_ = options_.name;
    has_elements_ = false;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Tensor& y = outputs[i];
      cotangents_.push_back(is_checked(y) ? randn(y.shape(), {.dtype = float64}) : Tensor());
      if (!is_checked(y)) continue;
      if (y.dtype() != float64)
        reject(fmt::format("output {} is {} though the inputs are float64", i, y.dtype()));
      else if (!compute::all_finite(y))
        reject(
            fmt::format("output {} is not finite: its finite values are in {}", i, compute::range_text(y)));
      else
        for (double value : y.to_vector<double>())
          largest_output_ = std::max(largest_output_, std::abs(value));
      has_elements_ = has_elements_ || y.numel() > 0;
    }
    return report_.ok;
  }

  // J'c for each input; sets the report if the tape refuses.
  Values analytic(const Values& cotangents) {
    Values leaves = values_;
    for (Tensor& x : leaves)
      if (is_checked(x)) x = copy_of(x).set_requires_grad();
    Tape tape;
    // A function may return its input as it is, and an output must be on the tape: it gets a record of the
    // leaf.
    Values inputs = leaves, wanted;
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (!is_checked(leaves[i])) continue;
      inputs[i] = on_tape(leaves[i]);
      wanted.push_back(leaves[i]);
    }
    Values gradients(leaves.size());
    try {
      const Tensor loss = weighted_sum(tape, call(&tape, inputs), cotangents);
      if (!report_.ok) return gradients;
      const Values found = tape.gradient(loss, wanted);
      for (size_t i = 0, next = 0; i < leaves.size(); ++i)
        if (is_checked(leaves[i])) gradients[i] = found[next++];
    } catch (const AutogradError& error) {
      reject(fmt::format("going backward threw: {}", error.what()));
    }
    return gradients;
  }

  Tensor weighted_sum(const Tape& tape, const Values& outputs, const Values& cotangents) {
    detail::SmallVector<detail::TensorPointer, 8> pointers;
    Gradients weights;
    double total = 0;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!is_checked(outputs[i])) continue;
      if (!outputs[i].is_recorded()) {
        // A first derivative that does not depend on the inputs is a constant, and the differences will show
        // if it is.
        if (constants_) continue;
        reject(fmt::format("output {} is detached: no gradient flows from it to the inputs", i));
        return {};
      }
      if (name_.empty()) name_ = tape[outputs[i].impl()->record].op;
      pointers.push_back(outputs[i]);
      weights.push_back(cotangents[i]);
      const std::vector<double> y = outputs[i].to_vector<double>(), c = cotangents[i].to_vector<double>();
      for (size_t k = 0; k < y.size(); ++k) total += y[k] * c[k];
    }
    return record("gradcheck", tensor(total, {.dtype = float64}), pointers,
                  [weights](const Tensor&) -> Gradients { return weights; });
  }

  // c'(f(plus) - f(minus)) / step, at element k of input i.
  double numeric(size_t i, int64_t k) {
    const double x = detail::ptr<double>(values_[i])[k];
    const double h = std::cbrt(std::numeric_limits<double>::epsilon()) * std::max(1.0, std::abs(x));
    const double up = x + h, down = x - h;
    const Values plus = call_at(i, k, up), minus = call_at(i, k, down);
    double total = 0;
    for (size_t o = 0; o < plus.size(); ++o) {
      if (!is_checked(plus[o])) continue;
      const std::vector<double> a = plus[o].to_vector<double>(), b = minus[o].to_vector<double>(),
                                c = cotangents_[o].to_vector<double>();
      for (size_t e = 0; e < a.size(); ++e) total += (a[e] - b[e]) * c[e];
    }
    return total / (up - down);
  }

  Values call_at(size_t i, int64_t k, double value) {
    Values changed = values_;
    changed[i] = copy_of(values_[i]);
    changed[i].mutable_data<double>()[size_t(k)] = value;
    return call(nullptr, changed);
  }

  void compare_numeric(const Values& analytic) {
    int64_t wrong = 0, elements = 0;
    double worst = 0;
    for (size_t i = 0; i < values_.size(); ++i) {
      if (!is_checked(values_[i])) continue;
      std::vector<double> differences;
      for (int64_t k = 0; k < values_[i].numel(); ++k) differences.push_back(numeric(i, k));
      double largest = 0;
      for (double value : differences) largest = std::max(largest, std::abs(value));
      report_.max_abs_grad = std::max(report_.max_abs_grad, largest);
      const double floor = std::max(std::min(1.0, largest), 1e-3 * std::max(1.0, largest_output_));
      const std::vector<double> gradient = analytic[i].to_vector<double>();
      for (size_t k = 0; k < gradient.size(); ++k) {
        ++elements;
        double error = std::abs(gradient[k] - differences[k]) / std::max(std::abs(differences[k]), floor);
        if (!std::isfinite(gradient[k]) || !std::isfinite(differences[k]))
          error = std::numeric_limits<double>::infinity();
        const bool is_wrong = !(error <= options_.tolerance);
        wrong += is_wrong;
        if (report_.input >= 0 && !(error > worst)) continue;
        worst = error;
        report_.max_error = error;
        report_.input = int64_t(i);
        report_.element = index_of(int64_t(k), values_[i].shape());
        report_.analytic = gradient[k];
        report_.numeric = differences[k];
      }
    }
    if (wrong == 0) return;
    // More digits where seven would look the same.
    std::string a = fmt::format("{:.7g}", report_.analytic), n = fmt::format("{:.7g}", report_.numeric);
    if (a == n) {
      a = fmt::format("{:.12g}", report_.analytic);
      n = fmt::format("{:.12g}", report_.numeric);
    }
    reject(fmt::format("input {}, element {}: analytic {}, numeric {} (ratio {:.3g}).{}", report_.input,
                       report_.element, a, n, report_.analytic / report_.numeric,
                       wrong > 1 ? fmt::format(" {} of {} elements are wrong.", wrong, elements) : ""));
  }

  void compare_again(const Values& first) {
    const Values second = analytic(cotangents_);
    for (size_t i = 0; report_.ok && i < first.size(); ++i) {
      if (!first[i].defined()) continue;
      const std::vector<double> a = first[i].to_vector<double>(), b = second[i].to_vector<double>();
      if (!a.empty() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) != 0)
        reject(fmt::format("input {}: a second run gives other bits", i));
    }
    if (!report_.ok) return;
    Values strided = cotangents_;
    for (Tensor& c : strided)
      if (c.defined()) c = strided_copy(c);
    const Values third = analytic(strided);
    for (size_t i = 0; report_.ok && i < first.size(); ++i) {
      if (!first[i].defined()) continue;
      const std::vector<double> a = first[i].to_vector<double>(), b = third[i].to_vector<double>();
      for (size_t k = 0; report_.ok && k < a.size(); ++k)
        if (!(std::abs(a[k] - b[k]) <= options_.tolerance * std::max(1.0, std::abs(a[k]))))
          reject(fmt::format("input {}, element {}: {} for a contiguous cotangent and {} for a strided one",
                             i, index_of(int64_t(k), first[i].shape()), a[k], b[k]));
    }
  }

  const OnTape& f_;
  const GradcheckOptions& options_;
  bool constants_;  // outputs may be detached
  Generator before_;
  Values values_, cotangents_;
  double largest_output_ = 0;
  bool has_elements_ = false;
  std::string name_;
  GradcheckReport report_;
};

}  // namespace

GradcheckReport gradcheck(const GradcheckFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  const OnTape run = [&](Tape* tape, const Values& in) {
    if (tape) return f(in);
    NoGrad no_grad;
    return f(in);
  };
  return Check(run, inputs, options, false).run();
}

GradcheckReport gradgradcheck(const GradcheckFunction& f, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options) {
  // The inputs of J'c: those of f, then a cotangent for each floating output.
  Values all = inputs;
  const size_t n = inputs.size();
  std::vector<size_t> outputs_checked;
  {
    NoGrad no_grad;
    const Generator before = default_generator();
    default_generator() = Generator(options.seed + 1);
    const Values outputs = f(inputs);
    default_generator() = Generator(options.seed + 2);
    for (size_t o = 0; o < outputs.size(); ++o) {
      if (!is_checked(outputs[o])) continue;
      outputs_checked.push_back(o);
      all.push_back(randn(outputs[o].shape(), {.dtype = float64}));
    }
    default_generator() = before;
  }
  const OnTape run = [&](Tape* outer, const Values& in) {
    const auto gradients = [&](Tape& tape, const Values& leaves, const GradientOptions& how) {
      const Values x(leaves.begin(), leaves.begin() + ptrdiff_t(n));
      const Values outputs = f(x);
      Values wanted, sums;
      for (const Tensor& input : x)
        if (is_checked(input)) wanted.push_back(input);
      for (size_t k = 0; k < outputs_checked.size(); ++k) {
        GradientOptions with = how;
        with.gradient = leaves[n + k];
        const Values part = tape.gradient(outputs[outputs_checked[k]], wanted, with);
        for (size_t i = 0; i < part.size(); ++i)
          if (k == 0)
            sums.push_back(part[i]);
          else
            sums[i] = detail::sum_of(sums[i], part[i]);
      }
      return sums;
    };
    if (outer) return gradients(*outer, in, {.create_graph = true});
    Tape tape;
    Values leaves = in;
    for (size_t i = 0; i < n; ++i)
      if (is_checked(leaves[i])) leaves[i] = on_tape(leaves[i].detach().set_requires_grad());
    return gradients(tape, leaves, {.retain_graph = true});
  };
  GradcheckOptions named = options;
  if (named.name.empty()) named.name = "second derivative";
  return Check(run, all, named, true).run();
}

}  // namespace tapegrad
