#pragma once
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>

#include <tapegrad/distributed/context.h>
#include <tapegrad/train/checkpoint.h>

namespace tapegrad::distributed {

/// train::Checkpointer for a job of several ranks: rank 0 reads and writes the folder, which the others need not see. A
/// run that was stopped on 8 ranks goes on with 2, with the same bits.
///
///     distributed::Checkpointer run(mpi, "runs/digits", {{"model", net}, {"optimizer", adam}, {"loader", loader},
///                                                        {"random", default_generator()}}, {.every = 100});
class Checkpointer {
 public:
  Checkpointer(Context& context, std::string folder, std::initializer_list<StatePart> parts,
               train::CheckpointOptions options = {});
  ~Checkpointer();

  /// As train::Checkpointer; every rank gets what rank 0 loads, and its step.
  int64_t resume();
  /// As train::Checkpointer; every rank returns the same. Ctrl-C reaches rank 0, and the others end with it.
  bool step(int64_t step, double metric = std::numeric_limits<double>::quiet_NaN());
  /// As train::Checkpointer; the ranks that do not save go on at once.
  void save(int64_t step, double metric = std::numeric_limits<double>::quiet_NaN());
  /// As train::Checkpointer; every rank gets what rank 0 loads.
  void load(int64_t step);
  /// As train::Checkpointer; every rank returns the same.
  int64_t best();

 private:
  Context& context_;
  StateGroup state_;
  std::unique_ptr<train::Checkpointer> root_;  // on rank 0
};

}  // namespace tapegrad::distributed
