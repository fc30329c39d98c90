// <tapegrad/distributed.h> for the examples that train; where there is no MPI, what they need of it, for one rank.
//
// A program that is started by hand learns a batch at once, in the usual loop. mpirun -n P cuts it into 8 shards, whose
// numbers do not depend on P; --shards 8 has them by hand too.
#pragma once
#include <algorithm>

#include "arguments.h"

#ifdef TAPEGRAD_EXAMPLES_MPI
#include <tapegrad/distributed.h>
#else
#include <tapegrad/nn.h>
#include <tapegrad/train.h>

#include <stdexcept>

namespace tapegrad::distributed {

inline bool was_launched() { return false; }

struct ContextOptions {
  int64_t shards = 0;
};

struct Context {
  Context(int, char**, ContextOptions options = {}) {
    if (options.shards > 1) throw std::runtime_error("built without MPI, it learns a batch at once: --shards is 0");
  }
  bool is_root() const { return true; }
  data::Shard shard() const { return {}; }
  double sum(double value) { return value; }
  Tensor gather(const Tensor& own, int64_t) { return own; }
};

struct DataParallelOptions {
  int64_t batch_axis = 0;
};

template <class M>
struct DataParallel {
  DataParallel(M& module, Context&, DataParallelOptions = {}) : module(module) {}
  template <class F, class... Inputs>
  Tensor operator()(F&& loss_of, const Inputs&... inputs) {
    return loss_of(module, inputs...);
  }
  M& module;
};

struct Checkpointer : train::Checkpointer {
  Checkpointer(Context&, const std::string& folder, std::initializer_list<StatePart> parts,
               train::CheckpointOptions options = {})
      : train::Checkpointer(folder, parts, options) {}
};

struct Recorder : train::Recorder {
  Recorder(Context&, const std::string& folder, std::initializer_list<StatePart> parts, train::StepFunction step)
      : train::Recorder(folder, parts, std::move(step)) {}
};

using SyncBatchNorm = nn::BatchNorm2d;

}  // namespace tapegrad::distributed
#endif

/// --shards N, for the Context.
inline int64_t shards_argument(Arguments& arguments) {
  return arguments.integer("shards", tapegrad::distributed::was_launched() ? 8 : 0,
                           "parts of a batch, which the numbers depend on, and not on the ranks; 0: one a rank",
                           {0, 4096});
}

/// The rows of this rank, of a batch that every rank made.
inline tapegrad::Tensor own_rows(const tapegrad::distributed::Context& mpi, const tapegrad::Tensor& x,
                                 int64_t axis = 0) {
  const auto [first, last, parts] = mpi.shard();
  const auto begin = [n = x.size(axis), parts = parts](int64_t part) {
    return part * (n / parts) + std::min(part, n % parts);
  };
  return narrow(x, axis, begin(first), begin(last) - begin(first));
}
