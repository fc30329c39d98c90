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

// Where the cubic through two points with their losses and slopes is least, within [low, high].
template <class Point>
double cubic_minimum(const Point* a, const Point* b, double low, double high) {
  if (a->length > b->length) std::swap(a, b);
  const double d1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->length - b->length);
  const double d2 = std::sqrt(d1 * d1 - a->slope * b->slope);
  const double x = b->length - (b->length - a->length) * ((b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2));
  return std::isfinite(x) ? std::min(std::max(x, low), high) : (low + high) / 2;
}

}  // namespace

LBFGS::LBFGS(const ParameterList& parameters, const LBFGSOptions& options) : Optimizer(kName), options_(options) {
  require(options.max_iter >= 1, kName, "max_iter must be at least 1", double(options.max_iter));
  require(options.max_eval >= 0, kName, "max_eval must not be negative", double(options.max_eval));
  require(options.tolerance_grad >= 0, kName, "tolerance_grad must not be negative", options.tolerance_grad);
  require(options.tolerance_change >= 0, kName, "tolerance_change must not be negative", options.tolerance_change);
  require(options.history_size >= 1, kName, "history_size must be at least 1", double(options.history_size));
  if (options_.max_eval == 0) options_.max_eval = options.max_iter * 5 / 4;
  add_parameters(parameters, options.lr);
  for (const Slot& slot : slots())
    if (slot.parameter.dtype() != slots()[0].parameter.dtype())
      fail<DtypeError>(kName, "all parameters must have one dtype, got {} and {}", slots()[0].parameter.dtype(),
                       slot.parameter.dtype());
}

void LBFGS::update(Slot&, const Tensor&) {
  fail<Error>(kName, "step() needs a function that computes the loss and its gradients: it is called often");
}

Tensor LBFGS::flat(bool gradients) const {
  std::vector<Tensor> parts;
  for (const Slot& slot : slots()) {
    const Tensor x = gradients ? slot.parameter.grad() : slot.parameter;
    parts.push_back((x.defined() ? x.detach() : zeros_like(slot.parameter)).reshape({-1}));
  }
  return concat(parts, 0);
}

// d = -H g, by the two loops over the pairs of Nocedal and Wright, algorithm 7.4.
void LBFGS::find_direction(const Tensor& gradient) {
  auto& [direction, last_gradient, steps, changes, length, scale, iterations] = memory_;
  if (iterations++ > 0) {
    const Tensor change = gradient - last_gradient, moved = length * direction;
    if (const double curvature = inner(change, moved); curvature > 1e-10) {
      if (int64_t(steps.size()) == options_.history_size) {
        steps.erase(steps.begin());
        changes.erase(changes.begin());
      }
      steps.push_back(moved);
      changes.push_back(change);
      scale = curvature / inner(change, change);
    }
  }
  last_gradient = gradient;
  direction = -gradient;
  std::vector<double> rho(steps.size()), alpha(steps.size());
  for (size_t i = steps.size(); i-- > 0;) {
    rho[i] = 1 / inner(changes[i], steps[i]);
    alpha[i] = rho[i] * inner(steps[i], direction);
    direction = direction - alpha[i] * changes[i];
  }
  direction = scale * direction;
  for (size_t i = 0; i < steps.size(); ++i)
    direction = direction + (alpha[i] - rho[i] * inner(changes[i], direction)) * steps[i];
}

void LBFGS::move(const Tensor& from, double length) const {
  const NoGrad no_grad;
  tapegrad::detail::Exclusive exclusive(kName);
  const Tensor to = from + length * memory_.direction;
  int64_t begin = 0;
  for (const Slot& slot : slots()) {
    Tensor parameter = slot.parameter;
    exclusive.take(parameter);
    parameter.copy_(narrow(to, 0, begin, parameter.numel()).reshape(parameter.shape()));
    begin += parameter.numel();
  }
}

LBFGS::Point LBFGS::look(const Tensor& from, double length, const Closure& closure) const {
  move(from, length);
  const double loss = closure();
  const Tensor gradient = flat(true);
  const bool finite = std::isfinite(loss) && compute::all_finite(gradient);
  return {length, finite ? loss : std::numeric_limits<double>::infinity(), inner(gradient, memory_.direction),
          gradient};
}

// A length with loss <= start + c1 length slope and |its slope| <= c2 |slope|. Points further and further away, until
// two have such a one between them; then cubic interpolation between these.
LBFGS::Point LBFGS::strong_wolfe(const Point& start, const Tensor& from, const Closure& closure) const {
  constexpr double c1 = 1e-4, c2 = 0.9;
  constexpr int most = 25;
  const auto is_high = [&](const Point& p) { return p.loss > start.loss + c1 * p.length * start.slope; };
  const auto is_flat = [&](const Point& p) { return std::abs(p.slope) <= -c2 * start.slope; };
  Point a = start, b = look(from, memory_.length, closure);
  int tries = 0;
  for (; tries < most; ++tries) {
    if (is_high(b) || (tries > 1 && b.loss >= a.loss)) break;
    if (is_flat(b)) return b;
    if (b.slope >= 0) break;
    const double next = cubic_minimum(&a, &b, b.length + 0.01 * (b.length - a.length), 10 * b.length);
    a = std::exchange(b, look(from, next, closure));
  }
  if (tries == most) a = start;
  Point *low = a.loss <= b.loss ? &a : &b, *high = low == &a ? &b : &a;
  const double reach = largest(memory_.direction);
  bool slow = false;
  for (; tries < most && std::abs(b.length - a.length) * reach >= options_.tolerance_change; ++tries) {
    const double left = std::min(a.length, b.length), right = std::max(a.length, b.length);
    const double edge = 0.1 * (right - left);
    double next = cubic_minimum(&a, &b, left, right);
    const bool at_edge = std::min(right - next, next - left) < edge;
    if (at_edge && (slow || next >= right || next <= left)) {
      next = std::abs(next - right) < std::abs(next - left) ? right - edge : left + edge;
      slow = false;
    } else {
      slow = at_edge;
    }
    const Point found = look(from, next, closure);
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
  int64_t evaluations = 0;
  const Closure counted = [&] {
    ++evaluations;
    return closure();
  };
  const double first = counted();
  if (!gradients_are_finite()) return first;
  Point now{0, first, 0, flat(true)};
  for (int64_t i = 1; i <= options_.max_iter; ++i) {
    if (largest(now.gradient) <= options_.tolerance_grad) break;
    find_direction(now.gradient);
    double& length = memory_.length;
    length = lr() * (memory_.iterations == 1 ? std::min(1.0, 1 / sum(abs(now.gradient)).item()) : 1);
    now.slope = inner(now.gradient, memory_.direction);
    now.length = 0;
    if (now.slope > -options_.tolerance_change) break;
    const Tensor from = flat(false);
    const double before = now.loss;
    if (options_.line_search == LineSearch::strong_wolfe) {
      now = strong_wolfe(now, from, counted);
      length = now.length;
      move(from, length);
    } else if (i == options_.max_iter) {
      move(from, length);
      break;
    } else {
      const Point next = look(from, length, counted);
      if (std::isinf(next.loss)) break;
      now = next;
    }
    if (evaluations >= options_.max_eval || length * largest(memory_.direction) <= options_.tolerance_change ||
        std::abs(now.loss - before) < options_.tolerance_change)
      break;
  }
  return first;
}

StateDict LBFGS::state_dict() const {
  StateDict state = Optimizer::state_dict();
  const auto& [direction, gradient, steps, changes, length, scale, iterations] = memory_;
  state["lbfgs.numbers"] = numbers({double(iterations), length, scale});
  if (iterations == 0) return state;
  state["lbfgs.direction"] = direction.clone();
  state["lbfgs.gradient"] = gradient.clone();
  if (steps.empty()) return state;
  state["lbfgs.steps"] = stack(steps, 0);
  state["lbfgs.changes"] = stack(changes, 0);
  return state;
}

void LBFGS::load_state_dict(const StateDict& state) {
  StateDict mine, shared;
  for (const auto& [name, value] : state) (name.rfind("lbfgs.", 0) == 0 ? mine : shared)[name] = value;
  StateReader reader(kName, mine);
  int64_t n = 0;
  for (const Slot& slot : slots()) n += slot.parameter.numel();
  const auto vectors = [&](const std::string& name, const Shape& shape) {
    const Tensor value = reader.take(name, shape, slots()[0].parameter.dtype());
    return value.defined() ? tapegrad::detail::contiguous_copy(value) : value;
  };
  const std::vector<double> now = reader.rates("lbfgs.numbers", 3);
  Memory loaded{.length = now[1], .scale = now[2]};
  loaded.iterations = int64_t(std::min(now[0], double(StateReader::max_count)));
  if (now[0] > 0) {
    loaded.direction = vectors("lbfgs.direction", {n});
    loaded.gradient = vectors("lbfgs.gradient", {n});
  }
  if (const auto at = mine.find("lbfgs.steps"); at != mine.end() && at->second.dim() == 2) {
    const int64_t pairs = std::min(at->second.size(0), options_.history_size);
    const Tensor steps = vectors("lbfgs.steps", {pairs, n}), changes = vectors("lbfgs.changes", {pairs, n});
    for (int64_t i = 0; steps.defined() && changes.defined() && i < pairs; ++i) {
      loaded.steps.push_back(steps[i]);
      loaded.changes.push_back(changes[i]);
    }
  }
  reader.finish();
  Optimizer::load_state_dict(shared);
  memory_ = std::move(loaded);
}

}  // namespace tapegrad::optim
