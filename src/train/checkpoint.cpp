// A checkpoint is believed only if its hashes are right: safetensors has none, and a disk that changes a bit gives another
// number. The hash is a chain of xor, multiplication by an odd number and a shift back, each of which can be undone, so any
// change of one word changes it.
#include <tapegrad/io.h>
#include <tapegrad/nn/module.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/checkpoint.h>

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "compute/arrays.h"
#include "core/fail.h"

namespace tapegrad::train {

namespace fs = std::filesystem;

namespace {

using Metadata = std::map<std::string, std::string>;

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

class Hash {
 public:
  void add(const void* data, size_t bytes) {
    const char* from = static_cast<const char*>(data);
    mix(bytes);
    for (; bytes > 0; from += std::min<size_t>(bytes, 8), bytes -= std::min<size_t>(bytes, 8)) {
      uint64_t word = 0;
      std::memcpy(&word, from, std::min<size_t>(bytes, 8));
      mix(word);
    }
  }
  void add(const std::string& text) { add(text.data(), text.size()); }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  void mix(uint64_t word) {
    value_ = (value_ ^ word) * 0x9E3779B97F4A7C15u;
    value_ ^= value_ >> 32;
  }
  uint64_t value_ = 0;
};

std::string hash_of(const Tensor& x) {
  Hash hash;
  hash.add(fmt::format("{} {}", x.dtype(), x.shape()));
  const Tensor whole = x.contiguous();
  const auto add = [&](auto span) { hash.add(span.data(), span.size_bytes()); };
  switch (x.dtype()) {
    case float32: add(whole.data<float>()); break;
    case float64: add(whole.data<double>()); break;
    case int64: add(whole.data<int64_t>()); break;
    case boolean: add(whole.data<bool>()); break;
  }
  return hash.text();
}

const std::string hash_prefix = "hash.";

/// One hash of all that the metadata say, those of the tensors included.
std::string hash_of(const Metadata& metadata) {
  Hash hash;
  for (const auto& [key, value] : metadata) {
    if (key == "hash") continue;
    hash.add(key);
    hash.add(value);
  }
  return hash.text();
}

bool is_whole(const Metadata& metadata) {
  const auto hash = metadata.find("hash");
  return hash != metadata.end() && hash->second == hash_of(metadata);
}

std::string at(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string() : found->second;
}

double metric_of(const Metadata& metadata) {
  const std::string text = at(metadata, "metric");
  double value = std::nan("");
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The tensors of a checkpoint whose hashes are right. Throws FormatError otherwise.
StateDict load_checked(const std::string& path) {
  const Metadata metadata = load_metadata(path);
  if (!is_whole(metadata))
    fail<FormatError>("checkpoint", "{}: its description was changed, or it is none", path);
  StateDict state = load(path);
  for (const auto& [name, value] : state)
    if (at(metadata, hash_prefix + name) != hash_of(value))
      fail<FormatError>("checkpoint", "{}: '{}' was changed on the disk", path, name);
  if (at(metadata, "tensors") != std::to_string(state.size()))
    fail<FormatError>("checkpoint", "{}: {} tensors were saved, it has {}", path, at(metadata, "tensors"),
                      state.size());
  if (at(metadata, "finite") != "yes")
    fail<FormatError>("checkpoint", "{}: its parameters are not finite", path);
  return state;
}

/// What a checkpoint says of itself; nothing where that cannot be read or was changed.
Metadata metadata_or_none(const std::string& path) {
  try {
    Metadata metadata = load_metadata(path);
    if (is_whole(metadata)) return metadata;
  } catch (const FormatError&) {
  }
  return {};
}

/// "step-000000100.safetensors" -> 100; -1 for other names.
int64_t step_of(const std::string& name) {
  constexpr std::string_view before = "step-", after = ".safetensors";
  if (!name.starts_with(before) || !name.ends_with(after) || name.size() <= before.size() + after.size())
    return -1;
  const char *begin = name.data() + before.size(), *end = name.data() + name.size() - after.size();
  int64_t step = -1;
  return std::from_chars(begin, end, step).ptr == end ? step : -1;
}

/// Removes the temporary files of processes that are gone: NAME.safetensors.tmp.PID.N.
void remove_leftovers(const std::string& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    const size_t mark = name.find(".safetensors.tmp.");
    if (mark == std::string::npos || !name.starts_with("step-")) continue;
    const int process = std::atoi(name.c_str() + mark + std::strlen(".safetensors.tmp."));
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) fs::remove(entry.path(), none);
  }
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

Checkpointer::Checkpointer(std::string folder, std::initializer_list<StatePart> parts,
                           CheckpointOptions options)
    : folder_(std::move(folder)), parts_(parts), state_(parts), options_(options) {
  if (options_.every < 1 || options_.keep < 1)
    fail<ValueError>("Checkpointer", "every and keep must be positive, got {} and {}", options_.every,
                     options_.keep);
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error || !fs::is_directory(folder_))
    fail<FormatError>("Checkpointer", "{}: cannot be made a folder: {}", folder_,
                      error ? error.message() : "a file has that name");
  remove_leftovers(folder_);
  if (!options_.on_signal) return;
  for (int signal : {SIGINT, SIGTERM}) set_handler(signal, SIG_DFL, note_signal);
}

Checkpointer::~Checkpointer() {
  if (!options_.on_signal) return;
  for (int signal : {SIGINT, SIGTERM}) set_handler(signal, note_signal, SIG_DFL);
}

std::string Checkpointer::path(int64_t step) const {
  return (fs::path(folder_) / fmt::format("step-{:09}.safetensors", step)).string();
}

std::vector<int64_t> Checkpointer::steps() const {
  std::vector<int64_t> out;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (const int64_t step = step_of(entry.path().filename().string()); step >= 0) out.push_back(step);
  std::sort(out.begin(), out.end());
  return out;
}

int64_t Checkpointer::best() const { return best_of(described(), options_.largest); }

int64_t Checkpointer::resume() {
  const std::vector<int64_t> saved = steps();
  for (auto step = saved.rbegin(); step != saved.rend(); ++step) {
    StateDict state;
    try {
      state = load_checked(path(*step));
    } catch (const FormatError& error) {
      fmt::print(options_.stream, "passed over: {}\n", error.what());
      continue;
    }
    state_.load_state_dict(state);
    return *step;
  }
  if (!saved.empty())
    fail<FormatError>("Checkpointer", "{}: none of its {} checkpoints is good. Hint: begin in another folder",
                      folder_, saved.size());
  return 0;
}

bool Checkpointer::step(int64_t step, double metric) {
  const bool stop = options_.on_signal && stop_signal != 0;
  if (stop || step % options_.every == 0) save(step, metric);
  if (!stop) return true;
  fmt::print(options_.stream, "\nstopped at step {} by signal {}; {} has it, and the same command goes on\n",
             step, int(stop_signal), folder_);
  stop_signal = 0;
  return false;
}

void Checkpointer::save(int64_t step, double metric) {
  if (step < 0) fail<ValueError>("Checkpointer", "a step must not be negative, got {}", step);
  const NoGrad no_grad;
  const StateDict state = state_.state_dict();
  Metadata metadata{{"step", std::to_string(step)},
                    {"tensors", std::to_string(state.size())},
                    {"finite", parameters_are_finite(parts_) ? "yes" : "no"}};
  if (!std::isnan(metric)) metadata["metric"] = fmt::format("{}", metric);
  for (const auto& [name, value] : state) metadata[hash_prefix + name] = hash_of(value);
  metadata["hash"] = hash_of(metadata);
  tapegrad::save(path(step), state, metadata);
  prune();
}

std::map<int64_t, std::map<std::string, std::string>> Checkpointer::described() const {
  std::map<int64_t, Metadata> out;
  for (int64_t step : steps()) out[step] = metadata_or_none(path(step));
  return out;
}

void Checkpointer::prune() const {
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
    fs::remove(path(step), none);
  }
}

}  // namespace tapegrad::train
