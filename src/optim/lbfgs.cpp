// The method in the form of PyTorch. Vectors hold all parameters; sums of products are float64.
#include <tapegrad/optim/lbfgs.h>

#include <tapegrad/ops.h>
#include <tapegrad/tape.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "autograd/writable.h"
#include "compute/arrays.h"
#include "optim/require.h"
#include "tensor/impl.h"
#include "tensor/state_reader.h"

namespace tapegrad::optim {

namespace {

constexpr const char* kName = "LBFGS";

double inner(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }
double largest(const Tensor& x) { return x.numel() > 0 ? amax(abs(x)).item() : 0; }

// Where the cubic through two points with these values and slopes is least, within [low, high].
double cubic_minimum(double x1, double f1, double g1, double x2, double f2, double g2, double low,
                     double high) {
  if (x1 > x2) std::swap(x1, x2), std::swap(f1, f2), std::swap(g1, g2);
  const double d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2), d2 = std::sqrt(d1 * d1 - g1 * g2);
  const double x = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2));
  return std::isfinite(x) ? std::min(std::max(x, low), high) : (low + high) / 2;
}

}  // namespace

LBFGS::LBFGS(const ParameterList& parameters, const LBFGSOptions& options)
    : Optimizer(kName), options_(options) {
  require(options.max_iter >= 1, kName, "max_iter must be at least 1", double(options.max_iter));
  require(options.max_eval >= 0, kName, "max_eval must not be negative", double(options.max_eval));
  require(options.tolerance_grad >= 0, kName, "tolerance_grad must not be negative", options.tolerance_grad);
  require(options.tolerance_change >= 0, kName, "tolerance_change must not be negative",
          options.tolerance_change);
  require(options.history_size >= 1, kName, "history_size must be at least 1", double(options.history_size));
  if (options_.max_eval == 0) options_.max_eval = options.max_iter * 5 / 4;
  add_parameters(parameters, options.lr);
  for (const Slot& slot : slots())
    if (slot.parameter.dtype() != slots()[0].parameter.dtype())
      fail<DtypeError>(kName, "all parameters must have one dtype, got {} and {}",
                       slots()[0].parameter.dtype(), slot.parameter.dtype());
}

void LBFGS::update(Slot&, const Tensor&) {
  fail<Error>(kName, "step() needs a function that computes the loss and its gradients: it is called often");
}

Tensor LBFGS::flat_gradient() const {
  std::vector<Tensor> parts;
  for (const Slot& slot : slots()) {
    const Tensor gradient = slot.parameter.grad();
    parts.push_back((gradient.defined() ? gradient.detach() : zeros_like(slot.parameter)).reshape({-1}));
  }
  return concat(parts, 0);
}

// d = -H g, by the two loops over the pairs of Nocedal and Wright, algorithm 7.4.
void LBFGS::find_direction(const Tensor& gradient) {
  direction_ = -gradient;
  std::vector<double> rho(steps_.size()), alpha(steps_.size());
  for (size_t i = steps_.size(); i-- > 0;) {
    rho[i] = 1 / inner(changes_[i], steps_[i]);
    alpha[i] = rho[i] * inner(steps_[i], direction_);
    direction_ = direction_ - alpha[i] * changes_[i];
  }
  direction_ = scale_ * direction_;
  for (size_t i = 0; i < steps_.size(); ++i)
    direction_ = direction_ + (alpha[i] - rho[i] * inner(changes_[i], direction_)) * steps_[i];
}

// Moves the parameters to from + length * direction; the closure, if given, says what is there.
LBFGS::Point LBFGS::at(double length, const std::vector<Tensor>& from, const Closure& closure) const {
  {
    const NoGrad no_grad;
    tapegrad::detail::Exclusive exclusive(kName);
    int64_t begin = 0;
    for (size_t i = 0; i < from.size(); ++i) {
      Tensor parameter = slots()[i].parameter;
      const int64_t n = parameter.numel();
      exclusive.take(parameter);
      parameter.copy_(from[i] + length * narrow(direction_, 0, begin, n).reshape(parameter.shape()));
      begin += n;
    }
  }
  if (!closure) return {};
  const double loss = closure();
  const NoGrad no_grad;
  const Tensor gradient = flat_gradient();
  const bool finite = std::isfinite(loss) && compute::all_finite(gradient);
  return {length, finite ? loss : std::numeric_limits<double>::infinity(), inner(gradient, direction_),
          gradient};
}

// A length with loss <= start + c1 length slope and |its slope| <= c2 |slope|. Points further and further away, until
// two have such a one between them; then cubic interpolation between these.
LBFGS::Point LBFGS::strong_wolfe(Point start, double length, const std::vector<Tensor>& from,
                                 const Closure& closure, int64_t& evaluations) const {
  constexpr double c1 = 1e-4, c2 = 0.9;
  constexpr int most = 25;
  const auto is_high = [&](const Point& p) { return p.loss > start.loss + c1 * p.length * start.slope; };
  const auto is_flat = [&](const Point& p) { return std::abs(p.slope) <= -c2 * start.slope; };
  const auto minimum = [](const Point& a, const Point& b, double low, double high) {
    return cubic_minimum(a.length, a.loss, a.slope, b.length, b.loss, b.slope, low, high);
  };
  const auto look = [&](double length) {
    ++evaluations;
    return at(length, from, closure);
  };
  Point a = start, b = look(length);
  int tries = 0;
  for (; tries < most; ++tries) {
    if (is_high(b) || (tries > 1 && b.loss >= a.loss)) break;
    if (is_flat(b)) return b;
    if (b.slope >= 0) break;
    const double next = minimum(a, b, b.length + 0.01 * (b.length - a.length), 10 * b.length);
    a = std::exchange(b, look(next));
  }
  if (tries == most) a = start;
  Point *low = a.loss <= b.loss ? &a : &b, *high = low == &a ? &b : &a;
  const double reach = [&] {
    const NoGrad no_grad;
    return largest(direction_);
  }();
  bool slow = false;
  for (; tries < most && std::abs(b.length - a.length) * reach >= options_.tolerance_change; ++tries) {
    const double left = std::min(a.length, b.length), right = std::max(a.length, b.length);
    const double edge = 0.1 * (right - left);
    double next = minimum(a, b, left, right);
    const bool at_edge = std::min(right - next, next - left) < edge;
    if (at_edge && (slow || next >= right || next <= left)) {
      next = std::abs(next - right) < std::abs(next - left) ? right - edge : left + edge;
      slow = false;
    } else {
      slow = at_edge;
    }
    const Point found = look(next);
    if (is_high(found) || found.loss >= low->loss) {
      *high = found;
      if (high->loss < low->loss) std::swap(low, high);
      continue;
    }
    if (is_flat(found)) return found;
    if (found.slope * (high->length - low->length) >= 0) *high = *low;
    *low = found;
  }
  return *low;
}

double LBFGS::step(const Closure& closure) {
  const double first = closure();
  if (!gradients_are_finite()) return first;
  Point now{0, first, 0, {}};
  {
    const NoGrad no_grad;
    now.gradient = flat_gradient();
  }
  int64_t evaluations = 1;
  for (int64_t i = 1; i <= options_.max_iter; ++i) {
    std::vector<Tensor> from;
    {
      const NoGrad no_grad;
      if (largest(now.gradient) <= options_.tolerance_grad) break;
      if (iterations_++ > 0) {
        const Tensor change = now.gradient - gradient_, moved = length_ * direction_;
        if (const double curvature = inner(change, moved); curvature > 1e-10) {
          if (int64_t(steps_.size()) == options_.history_size) {
            steps_.erase(steps_.begin());
            changes_.erase(changes_.begin());
          }
          steps_.push_back(moved);
          changes_.push_back(change);
          scale_ = curvature / inner(change, change);
        }
      }
      find_direction(now.gradient);
      gradient_ = now.gradient;
      length_ = lr() * (iterations_ == 1 ? std::min(1.0, 1 / sum(abs(now.gradient)).item()) : 1);
      now.slope = inner(now.gradient, direction_);
      if (now.slope > -options_.tolerance_change) break;
      for (const Slot& slot : slots()) from.push_back(slot.parameter.detach().clone());
    }
    const double before = now.loss;
    now.length = 0;
    const bool last = i == options_.max_iter;
    if (options_.line_search == LineSearch::strong_wolfe) {
      now = strong_wolfe(now, length_, from, closure, evaluations);
      length_ = now.length;
      at(length_, from, nullptr);
    } else {
      Point next = at(length_, from, last ? nullptr : closure);
      if (last || std::isinf(next.loss)) break;
      now = next;
      ++evaluations;
    }
    const NoGrad no_grad;
    if (evaluations >= options_.max_eval || length_ * largest(direction_) <= options_.tolerance_change ||
        std::abs(now.loss - before) < options_.tolerance_change)
      break;
  }
  return first;
}

StateDict LBFGS::state_dict() const {
  StateDict state = Optimizer::state_dict();
  state["lbfgs.numbers"] = numbers({double(iterations_), length_, scale_});
  if (iterations_ == 0) return state;
  const NoGrad no_grad;
  state["lbfgs.direction"] = direction_.clone();
  state["lbfgs.gradient"] = gradient_.clone();
  if (steps_.empty()) return state;
  state["lbfgs.steps"] = stack(steps_, 0);
  state["lbfgs.changes"] = stack(changes_, 0);
  return state;
}

void LBFGS::load_state_dict(const StateDict& state) {
  StateDict mine, shared;
  for (const auto& [name, value] : state) (name.rfind("lbfgs.", 0) == 0 ? mine : shared)[name] = value;
  StateReader reader(kName, mine);
  int64_t n = 0;
  for (const Slot& slot : slots()) n += slot.parameter.numel();
  const Dtype dtype = slots()[0].parameter.dtype();
  const std::vector<double> now = reader.rates("lbfgs.numbers", 3);
  const auto vectors = [&](const std::string& name, const Shape& shape) {
    const Tensor value = reader.take(name, shape, dtype);
    return value.defined() ? tapegrad::detail::contiguous_copy(value) : value;
  };
  Tensor direction, gradient;
  std::vector<Tensor> steps, changes;
  if (now[0] > 0) {
    direction = vectors("lbfgs.direction", {n});
    gradient = vectors("lbfgs.gradient", {n});
  }
  if (const auto at = mine.find("lbfgs.steps"); at != mine.end() && at->second.dim() == 2) {
    const int64_t pairs = std::min(at->second.size(0), options_.history_size);
    const Tensor all_steps = vectors("lbfgs.steps", {pairs, n}),
                 all_changes = vectors("lbfgs.changes", {pairs, n});
    for (int64_t i = 0; all_steps.defined() && all_changes.defined() && i < pairs; ++i) {
      steps.push_back(all_steps[i]);
      changes.push_back(all_changes[i]);
    }
  }
  reader.finish();
  Optimizer::load_state_dict(shared);
  direction_ = direction;
  gradient_ = gradient;
  steps_ = std::move(steps);
  changes_ = std::move(changes);
  iterations_ = int64_t(std::min(now[0], double(StateReader::max_count)));
  length_ = now[1];
  scale_ = now[2];
}

}  // namespace tapegrad::optim
