#pragma once
#include <cstdint>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tapegrad/tape.h>
#include <tapegrad/train/checkpoint.h>
#include <tapegrad/train/past_step.h>

namespace tapegrad::train {

class RunLog;

/// One step of a run, given once: it makes the loss on `tape`, goes backward, lets the optimizer step and returns the loss.
/// All that it depends on is in the parts, and the number of the step.
using StepFunction = std::function<Tensor(Tape& tape, int64_t step)>;

struct RecorderOptions {
  int64_t every = 0;      ///< steps from one checkpoint to the next; 0: as many as keep their cost at half a hundredth
  bool on_signal = true;  ///< as in CheckpointOptions
  std::FILE* stream = stderr;  ///< as in CheckpointOptions
};

/// What to tell of a past step, for the command line of a program.
struct TravelQuestion {
  int64_t step = -1;              ///< this step
  std::string print = {};         ///< and of it the tensor of this name; else a table
  std::string bisect = {};        ///< or the step from which on this condition() holds
  std::string branch = {};        ///< or begin another run in this folder, from this step
  std::optional<double> lr = {};  ///< and with this learning rate
};

/// A run that can be travelled back: checkpoints and a log, from which any past step is run once more, bit for bit, and
/// shows every tensor of it, though nobody logged it.
///
///     train::Recorder run("runs/a", {{"model", model}, {"adam", adam}, {"random", default_generator()}},
///                         [&](Tape& tape, int64_t) {
///                           const Tensor loss = cross_entropy(model(x), y);
///                           adam.zero_grad();
///                           tape.backward(loss);
///                           adam.step();
///                           return loss;
///                         });
///     for (int64_t step = run.resume(); step < 500; ++step)
///       if (!run.step(step)) return 1;                            // Ctrl-C: saved, and the way to go on was shown
///
///     run.bisect(train::condition("loss > 10"));                  // 317
///     run.travel(317)["layer2.norm.grad"];
///
/// The folder has the Checkpointer's files, none of which is rotated away, and `log.jsonl`, a line for each step:
/// {"step": 317, "loss": 0.25}. Any checkpoint but the first may be deleted; travelling then takes longer.
class Recorder {
 public:
  /// As Checkpointer's. What the step function refers to must outlive it, as the parts do.
  Recorder(std::string folder, std::initializer_list<StatePart> parts, StepFunction step, RecorderOptions options = {});
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Where to go on: as Checkpointer's. A new run saves its beginning. Checkpoints of later steps, which were passed over
  /// because they are not finite, stay to be travelled to until the next step().
  int64_t resume();
  /// Runs a step and writes it into the log. Returns false where a signal ended the run; it is saved then.
  /// **Throws** ValueError unless the step is the next one, and what the step function and save() throw.
  bool step(int64_t step);
  /// The loss of the last step().
  double loss() const { return loss_; }
  /// The losses in the log, by step. A line that a crash cut short is left out.
  std::map<int64_t, double> log() const;

  /// Loads the checkpoint before, runs the steps up to this one, and this one under observation: also one that threw. The
  /// parts are left behind it; resume() takes them back to the end.
  ///
  /// **Throws** IndexError for a step that was not reached or lies before the first checkpoint, and ValueError where the
  /// loss of a step is not the one in the log: then the step depends on something that is in no part.
  PastStep travel(int64_t step);
  /// The step from which on a condition holds; -1 where it does not hold at the last one. It is taken to go on holding
  /// once it has begun: looks at one step behind each of about log2(checkpoints) checkpoints, and then at all between two
  /// of them. **Throws** as travel().
  int64_t bisect(const Condition& condition);
  /// Begins another run in `folder`, from the state before this step; with a learning rate of its own, which is also the one
  /// that the schedules begin with. A Recorder of that folder goes on with it. **Throws** ValueError where the folder has
  /// checkpoints, or for a rate as Optimizer::set_lr(), and as travel().
  void branch(int64_t step, const std::string& folder, std::optional<double> lr = {});
  /// How often a checkpoint was loaded to travel.
  int64_t replays() const { return replays_; }

  /// The answer to a question as text. **Throws** as travel(), bisect() and condition().
  std::string answer(const TravelQuestion& question);

 private:
  void save();
  void remove_later() const;
  int64_t last_step() const;
  void load_before(int64_t step);
  void go_to(int64_t step);
  PastStep run_again(bool observed);

  std::vector<StatePart> parts_;
  Checkpointer checkpoints_;
  StepFunction step_;
  RecorderOptions options_;
  std::unique_ptr<RunLog> log_;
  int64_t next_ = -1;     // the step that the parts are before
  bool went_on_ = false;  // since resume()
  double loss_ = 0, saved_at_ = 0, save_took_ = 0;
  int64_t replays_ = 0;
  std::map<int64_t, double> logged_;  // the log, while travelling
};

}  // namespace tapegrad::train
