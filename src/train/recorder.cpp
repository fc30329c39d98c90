// A step is a pure function of the state of the parts and of its number, so the state that a checkpoint has, and the steps
// since, give every number of every step again. What is not so, a loss tells: each step that is run again must give the
// loss in the log, to the bit.
#include <tapegrad/nn/module.h>
#include <tapegrad/observer.h>
#include <tapegrad/optim.h>
#include <tapegrad/train/recorder.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "core/fail.h"
#include "train/checkpoint_file.h"
#include "train/clock.h"
#include "train/memory_of.h"
#include "train/run_log.h"

namespace tapegrad::train {

namespace {

Tensor copy_of(const Tensor& x) { return x.defined() ? x.detach().clone() : x; }

Tensors copies(const Tensors& tensors) {
  Tensors out;
  for (const Tensor& x : tensors) out.push_back(copy_of(x));
  return out;
}

/// Fills a PastStep while the step runs.
class Watch : public TapeObserver {
 public:
  Watch(PastStep& past, const std::vector<StatePart>& parts) : past_(past) {
    const NoGrad no_grad;
    for (const auto& [part, object] : parts) {
      for (const auto& [name, value] : object.state_dict()) past.state[part + "." + name] = copy_of(value);
      if (const auto* module = dynamic_cast<const nn::ModuleBase*>(&object)) {
        past.modules.push_back(part);
        for (const auto& [name, p] : module->named_parameters()) names_[memory_of(p)] = part + "." + name;
      }
    }
  }
  void on_forward(const OperationView& operation, const Tensors&, const Tensors& outputs) override {
    if (operation.record >= 0) place_[operation.record] = past_.operations.size();
    past_.operations.push_back({operation.name, operation.module(), operation.step, copies(outputs)});
  }
  void on_loss(const Tensor&) override {
    past_.gradients.clear();
    for (PastOperation& operation : past_.operations) operation.gradients.clear();
  }
  void on_backward(const OperationView& operation, const Tensors& dy, const Tensors&) override {
    if (const auto place = place_.find(operation.record); place != place_.end())
      past_.operations[place->second].gradients = copies(dy);
  }
  void on_leaf(const Tensor& leaf, const Tensor& gradient) override {
    if (const auto name = names_.find(memory_of(leaf)); name != names_.end())
      past_.gradients[name->second] = copy_of(gradient);
  }

 private:
  PastStep& past_;
  std::map<int64_t, size_t> place_;  // of the records among the operations
  std::map<const void*, std::string> names_;
};

void set_rates(const std::vector<StatePart>& parts, double lr) {
  for (const auto& [name, object] : parts)
    if (auto* optimizer = dynamic_cast<optim::Optimizer*>(&object)) optimizer->set_lr(lr);
  for (const auto& [name, object] : parts)
    if (auto* schedule = dynamic_cast<optim::Schedule*>(&object)) {
      StateDict state = schedule->state_dict();
      state["base_lr"].fill_(lr);
      schedule->load_state_dict(state);
    }
}

CheckpointOptions all_kept(const RecorderOptions& options) {
  constexpr int64_t none = std::numeric_limits<int64_t>::max();
  return {.every = none, .keep = none, .on_signal = options.on_signal, .stream = options.stream};
}

}  // namespace

Recorder::Recorder(std::string folder, std::initializer_list<StatePart> parts, StepFunction step,
                   RecorderOptions options)
    : parts_(parts),
      checkpoints_(std::move(folder), parts, all_kept(options)),
      step_(std::move(step)),
      options_(options),
      log_(std::make_unique<RunLog>((std::filesystem::path(checkpoints_.folder_) / "log.jsonl").string())) {
  if (options_.every < 0) fail<ValueError>("Recorder", "every must not be negative, got {}", options_.every);
}

Recorder::~Recorder() = default;

int64_t Recorder::resume() {
  const bool is_new = checkpoints_.steps().empty();
  next_ = checkpoints_.resume();
  if (is_new) save();
  saved_at_ = now();
  went_on_ = false;
  return next_;
}

void Recorder::save() {
  const double begin = now();
  log_->sync();
  checkpoints_.save(next_);
  saved_at_ = now();
  save_took_ = saved_at_ - begin;
}

void Recorder::remove_later() const {
  std::error_code none;
  for (const int64_t step : checkpoints_.steps())
    if (step > next_) std::filesystem::remove(checkpoints_.path(step), none);
}

bool Recorder::step(int64_t step) {
  if (step != next_ || next_ < 0)
    fail<ValueError>("Recorder", "steps follow one another, got {} where {} is next. Hint: begin with resume()", step,
                     next_);
  if (!std::exchange(went_on_, true)) remove_later();
  try {
    Tape tape;
    loss_ = step_(tape, step).item();
  } catch (...) {
    log_->flush();  // should nobody catch it, the log tells how far the run came
    throw;
  }
  log_->append(step, loss_);
  ++next_;
  const bool due = options_.every > 0 ? next_ % options_.every == 0 : now() - saved_at_ > 200 * save_took_;
  if (due) save();
  return checkpoints_.step(next_);
}

std::map<int64_t, double> Recorder::log() const { return log_->read(); }

int64_t Recorder::last_step() const {
  const std::vector<int64_t> saved = checkpoints_.steps();
  const int64_t of_log = logged_.empty() ? -1 : logged_.rbegin()->first;
  return std::max(of_log, saved.empty() ? -1 : saved.back() - 1);
}

void Recorder::load_before(int64_t step) {
  const std::vector<int64_t> saved = checkpoints_.steps();
  ++replays_;
  for (auto at = std::upper_bound(saved.begin(), saved.end(), step); at != saved.begin();) {
    try {
      checkpoints_.load(*--at);
    } catch (const FormatError& error) {
      fmt::print(options_.stream, "passed over: {}\n", error.what());
      continue;
    }
    for (const auto& [name, object] : parts_)
      if (auto* module = dynamic_cast<nn::ModuleBase*>(&object)) module->zero_grad();
    next_ = *at;
    return;
  }
  fail<IndexError>("Recorder", "{} has no checkpoint at step {} or before", checkpoints_.folder_, step);
}

PastStep Recorder::run_again(bool observed) {
  PastStep past{.step = next_};
  std::optional<Watch> watch;
  TapeOptions options;
  if (observed) options.observers = {&watch.emplace(past, parts_)};
  try {
    Tape tape(options);
    past.loss = step_(tape, next_).item();
  } catch (const std::exception& error) {
    if (!observed) throw;
    past.error = error.what();
  }
  const auto logged = logged_.find(next_);
  const bool same =
      logged == logged_.end() || logged->second == past.loss || (std::isnan(logged->second) && std::isnan(past.loss));
  if (!same)
    fail<ValueError>("Recorder",
                     "step {} had the loss {}, and {} when it was run again. Hint: all that a step depends on must be "
                     "in the parts, the generator that dropout and shuffling draw from among them",
                     next_, logged->second, past.loss);
  ++next_;
  return past;
}

PastStep Recorder::travel(int64_t step) {
  go_to(step);
  return run_again(true);
}

void Recorder::go_to(int64_t step) {
  logged_ = log_->read();
  if (checkpoints_.steps().empty()) fail<IndexError>("Recorder", "{} has no steps", checkpoints_.folder_);
  if (step < 0 || step > last_step() + 1)
    fail<IndexError>("Recorder", "{} has the steps 0 to {}, got {}", checkpoints_.folder_, last_step(), step);
  load_before(step);
  while (next_ < step) run_again(false);
}

int64_t Recorder::bisect(const Condition& condition) {
  logged_ = log_->read();
  const int64_t last = last_step();
  if (!condition(travel(std::max<int64_t>(last, 0)))) return -1;
  std::vector<int64_t> saved = checkpoints_.steps();
  // Of the first checkpoint nothing is assumed: a loss is large there too.
  std::erase_if(saved, [&, begin = saved[0]](int64_t step) { return step >= last && step != begin; });
  const auto first =
      std::partition_point(saved.begin() + 1, saved.end(), [&](int64_t step) { return !condition(travel(step)); });
  const int64_t end = first == saved.end() ? last : *first;
  int64_t since = end;
  for (go_to(first[-1]); next_ < end;) {
    const PastStep past = run_again(true);
    if (!condition(past))
      since = end;
    else
      since = std::min(since, past.step);
  }
  return since;
}

void Recorder::branch(int64_t step, const std::string& folder, std::optional<double> lr) {
  make_folder("Recorder", folder);
  if (!checkpoint_steps(folder).empty())
    fail<ValueError>("Recorder", "{} has checkpoints already. Hint: branch into another folder", folder);
  go_to(step);
  if (lr) set_rates(parts_, *lr);
  checkpoints_.write(checkpoint_path(folder, step), step, std::nan(""));
}

std::string Recorder::answer(const TravelQuestion& question) {
  if (!question.bisect.empty()) {
    const int64_t step = bisect(condition(question.bisect));
    if (step < 0) return fmt::format("{} does not hold at the last step\n", question.bisect);
    return fmt::format("{} holds from step {} on; {} replays\n", question.bisect, step, replays_);
  }
  if (!question.branch.empty()) {
    branch(question.step, question.branch, question.lr);
    return fmt::format("{} begins at step {}\n", question.branch, question.step);
  }
  const PastStep past = travel(question.step);
  return fmt::format("{}\n", question.print.empty() ? to_string(past) : to_string(past[question.print]));
}

}  // namespace tapegrad::train
