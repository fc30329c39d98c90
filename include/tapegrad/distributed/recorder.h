#pragma once
#include <initializer_list>
#include <memory>
#include <string>

#include <tapegrad/distributed/context.h>
#include <tapegrad/train/recorder.h>

namespace tapegrad::distributed {

/// train::Recorder for a job of several ranks, all of which run the steps: rank 0 reads and writes the folder, which the
/// others need not see. A run that was stopped on 8 ranks goes on with 2, with the same bits, and one rank travels it back.
class Recorder {
 public:
  Recorder(Context& context, std::string folder, std::initializer_list<StatePart> parts, train::StepFunction step,
           train::RecorderOptions options = {});
  ~Recorder();

  /// As train::Recorder; every rank gets what rank 0 loads, and its step.
  int64_t resume();
  /// As train::Recorder; every rank returns the same. Ctrl-C reaches rank 0, and the others end with it.
  bool step(int64_t step);
  double loss() const { return loss_; }
  /// As train::Recorder. **Throws** ValueError on several ranks: one that was started by hand, with the same number of
  /// shards, runs the same steps.
  std::string answer(const train::TravelQuestion& question);

 private:
  Context& context_;
  StateGroup state_;
  train::StepFunction step_;
  double loss_ = 0;
  std::unique_ptr<train::Recorder> root_;  // on rank 0
};

}  // namespace tapegrad::distributed
