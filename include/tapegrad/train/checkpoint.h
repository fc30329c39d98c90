#pragma once
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <tapegrad/state.h>

namespace tapegrad::train {

struct CheckpointOptions {
  int64_t every = 1;           ///< steps from one checkpoint to the next
  int64_t keep = 2;            ///< how many of the newest stay, besides the best
  bool largest = false;        ///< the best metric is the largest one, else the smallest
  bool on_signal = true;       ///< Ctrl-C and SIGTERM save once more and end the loop
  std::FILE* stream = stderr;  ///< where to say which file was passed over, and how to go on
};

/// Checkpoints of a whole run in a folder, from which a new process goes on with the same bits.
///
///     train::Checkpointer run("runs/digits", {{"model", model}, {"optimizer", adam}, {"schedule", schedule},
///                                             {"loader", loader}, {"random", default_generator()}}, {.every = 100});
///     for (int64_t step = run.resume(); step < 5000;) {
///       ...                                             // one step
///       if (!run.step(++step)) return 1;                // Ctrl-C: saved, and the way to go on was shown
///     }
///
/// Each is one safetensors file, `step-000000100.safetensors`, with a hash of each tensor and one of all of them. It is
/// written beside its place, synced and renamed, so a crash leaves the last whole one. The newest `keep` stay, the one
/// with the best metric, and the newest whose parameters are finite.
class Checkpointer {
 public:
  /// Makes the folder where it is missing, and takes away what a killed process left half written. The parts must outlive
  /// it. **Throws** ValueError unless every and keep are positive, and for parts as StateGroup does, FormatError where the
  /// folder cannot be made.
  Checkpointer(std::string folder, std::initializer_list<StatePart> parts, CheckpointOptions options = {});
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// Loads the newest checkpoint and returns its step; 0, with nothing changed, where the folder has none. One whose bits
  /// changed, or whose parameters are not finite, is passed over for the one before, with a line that says why.
  /// **Throws** FormatError where there are checkpoints and none is good, and ValueError where a good one does not fit the
  /// parts: then nothing is changed.
  int64_t resume();
  /// Loads the checkpoint of one step, whether its parameters are finite or not. Throws FormatError where there is none
  /// or its bits changed, and as resume().
  void load(int64_t step);

  /// Call it after each step. Saves where `step` is a multiple of `every`, and where a signal has come; then it returns
  /// false. **Throws** as save().
  bool step(int64_t step, double metric = std::numeric_limits<double>::quiet_NaN());

  /// Saves now. NaN is no metric. **Throws** FormatError where the file cannot be written; the others are left alone then.
  void save(int64_t step, double metric = std::numeric_limits<double>::quiet_NaN());

  /// The steps of the checkpoints in the folder, oldest first.
  std::vector<int64_t> steps() const;
  /// The step with the best metric; -1 where none has a metric.
  int64_t best() const;
  /// Where the checkpoint of a step is.
  std::string path(int64_t step) const;

 private:
  friend class Recorder;
  /// What each checkpoint says of itself, by its step.
  std::map<int64_t, std::map<std::string, std::string>> described() const;
  void write(const std::string& path, int64_t step, double metric) const;
  void prune() const;

  std::string folder_;
  std::vector<StatePart> parts_;
  StateGroup state_;
  CheckpointOptions options_;
};

}  // namespace tapegrad::train
