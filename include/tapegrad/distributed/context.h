// Context: the ranks of a job, and what they have to tell each other besides gradients.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>

#include <tapegrad/data/loader.h>
#include <tapegrad/state.h>

namespace tapegrad::distributed {

class Transport;

/// Whether mpirun or srun started this process.
bool was_launched();

struct ContextOptions {
  /// Parts into which each batch is cut, whatever the number of ranks is: the results depend on it, and on the ranks not. 0:
  /// one part a rank, which is the fastest.
  int64_t shards = 8;
  double deadline = 60;          ///< seconds that a rank waits for another before it ends the job
  bool only_root_prints = true;  ///< the stdout of the other ranks is thrown away
};

/// The job of this process. Make one at the beginning of main(), and let it live to the end.
///
/// Started by mpirun, or by Slurm's srun, a process is one of several ranks; started by hand it is the only one, and MPI is
/// not even initialized.
///
/// A rank that ends by an exception ends the job: nobody waits for it. One that hangs does so too, after `deadline`. Both
/// say on stderr which rank it was, at which step, and why.
///
/// **Throws** ValueError where there are more ranks than shards, or an option is out of range; Error where MPI lacks threads.
class Context {
 public:
  Context(int argc, char** argv, ContextOptions options = {});
  /// One rank alone, whatever started the program: what several are compared with.
  explicit Context(ContextOptions options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// The number of this process, from 0 on.
  int rank() const;
  /// How many there are.
  int ranks() const;
  /// Whether this is rank 0, which prints and writes files.
  bool is_root() const { return rank() == 0; }
  /// Parts of a batch.
  int64_t shards() const { return shards_; }
  /// Those of this rank: what a loader is told.
  data::Shard shard() const;

  /// The sum over the ranks, the same on each: a number of right answers. Every rank must call it, as the next three.
  double sum(double value);
  /// Waits until every rank has come here.
  void barrier() { sum(0); }
  /// What the ranks have, one behind the other along `axis`, the same on each.
  Tensor gather(const Tensor& own, int64_t axis = 0);
  /// Every rank goes on from the state that rank 0 has.
  void broadcast(Stateful& state);

  /// For the modules of this room.
  Transport& transport() { return *transport_; }

 private:
  std::unique_ptr<Transport> transport_;
  int64_t shards_;
  int exceptions_;  // under way when it was made
};

}  // namespace tapegrad::distributed
