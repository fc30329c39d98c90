#include <tapegrad/nn/module.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/checkpoint.h>

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "compute/arrays.h"
#include "core/fail.h"
#include "train/checkpoint_file.h"

namespace tapegrad::train {

namespace {

volatile sig_atomic_t stop_signal = 0;

extern "C" void note_signal(int signal) { stop_signal = signal; }

/// The first of a signal is noted; the next one ends the process, as it does without.
void set_handler(int signal, void (*from)(int), void (*to)(int)) {
  struct sigaction now {};
  if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler != from) return;  // the program has its own
  now.sa_handler = to;
  now.sa_flags = to == note_signal ? int(SA_RESETHAND) : 0;
  ::sigaction(signal, &now, nullptr);
}

double metric_of(const Metadata& metadata) {
  const std::string text = at(metadata, "metric");
  double value = std::nan("");
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The step whose metric is the smallest, or the largest; -1 where there is no metric.
int64_t best_of(const std::map<int64_t, Metadata>& saved, bool largest) {
  int64_t best = -1;
  double least = 0;
  for (const auto& [step, metadata] : saved) {
    const double metric = metric_of(metadata) * (largest ? -1 : 1);
    if (std::isnan(metric) || (best >= 0 && metric >= least)) continue;
    best = step;
    least = metric;
  }
  return best;
}

bool parameters_are_finite(const std::vector<StatePart>& parts) {
  for (const StatePart& part : parts)
    if (const auto* module = dynamic_cast<const nn::ModuleBase*>(&part.object))
      for (const Tensor& p : module->parameters())
        if (!compute::all_finite(p)) return false;
  return true;
}

}  // namespace

Checkpointer::Checkpointer(std::string folder, std::initializer_list<StatePart> parts, CheckpointOptions options)
    : folder_(std::move(folder)), parts_(parts), state_(parts), options_(options) {
  if (options_.every < 1 || options_.keep < 1)
    fail<ValueError>("Checkpointer", "every and keep must be positive, got {} and {}", options_.every, options_.keep);
  make_folder("Checkpointer", folder_);
  if (!options_.on_signal) return;
  for (int signal : {SIGINT, SIGTERM}) set_handler(signal, SIG_DFL, note_signal);
}

Checkpointer::~Checkpointer() {
  if (!options_.on_signal) return;
  for (int signal : {SIGINT, SIGTERM}) set_handler(signal, note_signal, SIG_DFL);
}

std::string Checkpointer::path(int64_t step) const { return checkpoint_path(folder_, step); }

std::vector<int64_t> Checkpointer::steps() const { return checkpoint_steps(folder_); }

int64_t Checkpointer::best() const { return best_of(described(), options_.largest); }

int64_t Checkpointer::resume() {
  for (std::vector<int64_t> saved = steps(), now; !saved.empty(); saved = now) {
    for (auto step = saved.rbegin(); step != saved.rend(); ++step) {
      StateDict state;
      try {
        if (at(describe_checkpoint(path(*step)), "finite") == "no")
          fail<FormatError>("checkpoint", "{}: its parameters are not finite", path(*step));
        state = read_checkpoint(path(*step));
      } catch (const FormatError& error) {
        if (std::filesystem::exists(path(*step))) fmt::print(options_.stream, "passed over: {}\n", error.what());
        continue;
      }
      state_.load_state_dict(state);
      return *step;
    }
    now = steps();  // a process that saves may have taken all of them away meanwhile
    if (now == saved)
      fail<FormatError>("Checkpointer", "{}: none of its {} checkpoints is good. Hint: begin in another folder",
                        folder_, saved.size());
  }
  return 0;
}

bool Checkpointer::step(int64_t step, double metric) {
  const bool stop = options_.on_signal && stop_signal != 0;
  if (stop || step % options_.every == 0) save(step, metric);
  if (!stop) return true;
  fmt::print(options_.stream, "\nstopped at step {} by signal {}; {} has it, and the same command goes on\n", step,
             int(stop_signal), folder_);
  stop_signal = 0;
  return false;
}

void Checkpointer::load(int64_t step) { state_.load_state_dict(read_checkpoint(path(step))); }

void Checkpointer::write(const std::string& path, int64_t step, double metric) const {
  const NoGrad no_grad;
  Metadata metadata{{"step", std::to_string(step)}, {"finite", parameters_are_finite(parts_) ? "yes" : "no"}};
  if (!std::isnan(metric)) metadata["metric"] = fmt::format("{}", metric);
  write_checkpoint(path, state_.state_dict(), std::move(metadata));
}

void Checkpointer::save(int64_t step, double metric) {
  if (step < 0) fail<ValueError>("Checkpointer", "a step must not be negative, got {}", step);
  write(path(step), step, metric);
  try {
    prune();
  } catch (const FormatError&) {
    // The folder cannot be listed now; the next save takes away what this one leaves.
  }
}

std::map<int64_t, std::map<std::string, std::string>> Checkpointer::described() const {
  std::map<int64_t, Metadata> out;
  for (int64_t step : steps()) out[step] = describe_checkpoint(path(step));
  return out;
}

void Checkpointer::prune() const {
  if (int64_t(steps().size()) <= options_.keep) return;
  const std::map<int64_t, Metadata> saved = described();
  const int64_t kept_best = best_of(saved, options_.largest);
  int64_t newer = 0;
  bool finite = false;
  for (auto at_step = saved.rbegin(); at_step != saved.rend(); ++at_step) {
    const auto& [step, metadata] = *at_step;
    const bool is_finite = !finite && at(metadata, "finite") == "yes";
    finite |= is_finite;
    if (newer++ < options_.keep || step == kept_best || is_finite) continue;
    std::error_code none;
    std::filesystem::remove(path(step), none);
  }
}

}  // namespace tapegrad::train
