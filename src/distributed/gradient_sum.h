// The gradients of one step, on their way from the shards of a rank to the sum over all of them. Parameters are put into
// buckets in the reverse order of their registration, which is about the order in which their gradients come; a bucket is sent when
// the last shard of the rank has filled it, while the backward pass goes on to the next.
#pragma once
#include <chrono>
#include <future>
#include <vector>

#include "distributed/tree.h"

namespace tapegrad::distributed {

class GradientSum {
 public:
  /// `rows` are those of this rank.
  GradientSum(Transport& transport, int64_t rows, int64_t last_shard, int64_t shards,
              const std::vector<Tensor>& parameters, int64_t bucket_bytes);
  ~GradientSum();

  /// The rows of all ranks, which the gradients are to be divided by.
  double rows();
  /// The gradient of a parameter on a shard. The shards come in their order, of each the parameters in any. A tensor that
  /// nobody else holds is written to.
  void add(int64_t shard, size_t parameter, Tensor gradient);
  /// There are no more of this shard. `loss` is the sum over its rows.
  void end(int64_t shard, double loss);

  struct Result {
    double loss;                    ///< of all shards, a mean over the rows
    std::vector<Tensor> gradients;  ///< undefined where no shard had one; those of one bucket share its memory
  };
  /// Waits for the sums.
  Result wait();

  /// Bytes added up, the time that took, and how much of it before `end()` of the last shard.
  int64_t bytes = 0;
  double seconds = 0, hidden_seconds = 0;

 private:
  using Clock = std::chrono::steady_clock;
  struct Bucket {
    Dtype dtype;
    std::vector<size_t> parameters = {};
    std::vector<int64_t> offsets = {};  // of each
    int64_t numel = 0;
    Tensor filling = {};  // of the shard that runs
    size_t filled = 0;    // parameters in it
    std::vector<Node> nodes = {};
    Tensor total = {};
    bool complete = false;
    Clock::time_point begin = {}, end = {};  // of the sum
    std::future<void> done = {};
  };
  void fill(Bucket& bucket, int64_t shard, size_t place, Tensor gradient);
  void send_complete();

  Transport& transport_;
  const int64_t last_shard_, shards_;
  const std::vector<Tensor>& parameters_;
  std::vector<Bucket> buckets_;
  std::vector<std::pair<size_t, size_t>> place_;  // bucket, and place in it, of each parameter
  std::vector<bool> has_gradient_;                // of each parameter, on the shard that runs
  std::vector<Node> heads_;                       // loss, and how many shards had a gradient of each parameter
  Tensor rows_;
  std::future<void> counted_;
  size_t sent_ = 0;  // buckets
  Clock::time_point backward_end_;
};

}  // namespace tapegrad::distributed
