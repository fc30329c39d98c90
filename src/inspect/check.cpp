// Runs the steps and judges what became of parameters, loss and data over them.
#include "inspect/check.h"

#include <tapegrad/inspect/first_nan.h>
#include <tapegrad/random.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "inspect/values.h"

namespace tapegrad::inspect {

std::string to_string(const Mistake& m) {
  return fmt::format("{}{}: {}. Hint: {}", m.name, m.where.empty() ? "" : " (" + m.where + ")", m.text, m.cure);
}

namespace {

// After a step: which parameters moved, and how far.
void follow(Watcher& w) {
  for (Watcher::Parameter& p : w.parameters) {
    double moved = 0, was = 0;
    size_t i = 0;
    with_values(p.tensor, [&](auto values) {
      for (const auto v : values) {
        const double before = p.before[i++];
        moved += (double(v) - before) * (double(v) - before), was += before * before;
      }
    });
    p.moved = p.moved || moved > 0;
    if (w.step == 0) p.ratio = was > 0 ? std::sqrt(moved / was) : std::nan("");
    p.writes = p.tensor.version() - p.version;
  }
}

void judge_parameters(Watcher& w) {
  bool any = false, reached = false;
  uint32_t least = ~0u;
  for (const auto& p : w.parameters) {
    any = any || p.moved, reached = reached || p.reached;
    if (p.writes > 0) least = std::min(least, p.writes);
  }
  if (!any && reached)
    w.say("optimizer not stepped", "", "no parameter changed",
          "call optimizer.step() after backward(), of an optimizer that holds this model's parameters, with "
          "lr > 0");
  for (const auto& p : w.parameters) {
    if (!p.reached) {
      if (reached && p.tensor.requires_grad())
        w.say("no gradient", p.name, "the loss does not depend on it",
              "use it in forward(), and detach() nothing on the way; or do not register it");
      continue;
    }
    if (p.largest_gradient == 0)
      w.say("gradient of zero", p.name, "its gradient was 0 in every step",
            "look for dead units and saturated gates behind it");
    else if (any && !p.moved)
      w.say("not in the optimizer", p.name, "it gets a gradient and does not change",
            "make the optimizer with model.parameters(), after all layers are in the model");
    if (p.writes >= 2 * least && least > 0 && p.writes > 0 && least != ~0u)
      w.say("stepped twice", p.name, fmt::format("it is written {} times a step and others {}", p.writes, least),
            "give each parameter to one optimizer");
    if (p.copies)
      w.say("units that are copies", p.name, "its rows and their gradients are equal: they will stay so",
            "initialize it with random numbers");
  }
}

void judge_sizes(Watcher& w, bool fresh) {
  std::vector<double> ratios;
  double total = 0, first = -1, last = -1;
  for (const auto& p : w.parameters) {
    total += p.gradient_norm * p.gradient_norm;
    if (p.tensor.dim() < 2 || !p.reached) continue;
    if (std::isfinite(p.ratio) && p.ratio > 0) ratios.push_back(p.ratio);
    if (first < 0) first = p.largest_gradient;
    last = p.largest_gradient;
  }
  if (!ratios.empty()) {
    std::nth_element(ratios.begin(), ratios.begin() + ptrdiff_t(ratios.size() / 2), ratios.end());
    const double ratio = ratios[ratios.size() / 2];
    const std::string text = fmt::format("a step is {:.2g} of the weights in length; about 0.001 is usual", ratio);
    if (ratio < 1e-5) w.say("learning rate too small", "", text, "a larger learning rate");
    if (ratio > 0.3) w.say("learning rate too large", "", text, "a smaller learning rate");
  }
  if (last > 0 && first > 0 && first < 1e-6 * last)
    w.say("vanishing gradient", w.parameters[0].name,
          fmt::format("its gradient is {:.2g} long and that of the last layer {:.2g}", first, last),
          "a norm in each layer, residual connections, an activation that does not saturate");
  if (std::sqrt(total) > 1e4)
    w.say("exploding gradient", "", fmt::format("it is {:.2g} long", std::sqrt(total)),
          "normalize inputs and targets, a norm in each layer, or clip_grad_norm()");
  const double begin = w.losses[0], end = w.losses.back();
  if (fresh && std::isfinite(begin) && begin > 1e3)
    w.say("huge first loss", "", fmt::format("it is {:.3g}", begin), "normalize the targets");
  if (std::isfinite(begin) && begin > 0 && end > 5 * begin)
    w.say("loss grows", "", fmt::format("from {:.3g} to {:.3g} in {} steps", begin, end, w.losses.size()),
          "a smaller learning rate; and the loss, not its negative, is minimized");
}

void judge_labels(Watcher& w) {
  size_t constant = 0, batches = 0, count = 0;
  bool sorted = true;
  int64_t before = std::numeric_limits<int64_t>::min(), first = 0, last = 0;
  for (const auto& batch : w.labels) {
    if (batch.size() < 4) return;
    ++batches;
    constant += std::all_of(batch.begin(), batch.end(), [&](int64_t y) { return y == batch[0]; });
    for (const int64_t y : batch) {
      if (count++ == 0) first = y;
      sorted = sorted && y >= before;
      before = last = y;
    }
  }
  if (batches > 0 && constant == batches)
    w.say("constant labels", "", fmt::format("every batch has one label only, {} in the last", last),
          "shuffle the data, and look at how the labels are read");
  if (sorted && first != last && count >= 8)
    w.say("not shuffled", "", fmt::format("the labels are in order, from {} to {}", first, last),
          "DataLoader with {.shuffle = true}");
}

}  // namespace

std::vector<Mistake> check(const nn::ModuleBase& model, optim::Optimizer& optimizer,
                           const std::function<void(const TapeOptions&)>& step, const CheckOptions& options) {
  if (options.steps < 2) fail<ValueError>("check", "steps must be at least 2, got {}", options.steps);
  const auto copy = [](StateDict state) {
    for (auto& [name, tensor] : state) tensor = tensor.clone();
    return state;
  };
  const StateDict of_model = copy(model.state_dict()), of_optimizer = copy(optimizer.state_dict()),
                  random = default_generator().state_dict();
  nn::ModuleBase handle = model;
  const bool training = handle.is_training();
  Watcher watcher(model, options.fresh);
  FirstNan nan(model);
  for (int64_t i = 0; i < options.steps; ++i) {
    watcher.begin(i);
    try {
      step({.observers = {&watcher, &nan}});
    } catch (const Error& error) {
      const bool found = !nan.origin().op.empty();
      watcher.say(found ? "NaN" : "the step failed", found ? nan.origin().module : "", error.what(),
                  found ? "see FirstNan" : "as the error says");
      break;
    }
    follow(watcher);
  }
  judge_parameters(watcher);
  judge_sizes(watcher, options.fresh);
  judge_labels(watcher);
  if (options.evaluate) {
    const bool before = handle.is_training();
    watcher.evaluating = true;
    {
      Tape tape({.observers = {&watcher}});
      options.evaluate();
    }
    if (before && !handle.is_training())
      watcher.say("left in evaluation mode", "", "the evaluation does not go back", "call model.train() after it");
  }
  handle.load_state_dict(of_model);
  optimizer.load_state_dict(of_optimizer);
  default_generator().load_state_dict(random);
  handle.train(training);
  handle.zero_grad();
  return watcher.mistakes;
}

}  // namespace tapegrad::inspect
