// The shards of a rank. Where they do not meet in the forward pass, one runs after the other in the caller. Where they do,
// in SyncBatchNorm, each has a thread, so that it can wait in the middle of its work; but only one runs at a time, in the
// order of the shards, so the same happens in every run.
#pragma once
#include <exception>

#include "distributed/tree.h"

namespace tapegrad::distributed {

class Turns {
 public:
  Turns(Transport& transport, int64_t first, int64_t last, int64_t shards)
      : transport_(transport), first_(first), last_(last), shards_(shards) {}

  /// body(shard) for first <= shard < last. Throws what the first one threw.
  void run(bool meet, const std::function<void(int64_t shard)>& body);

  /// The one whose body this thread runs; null outside.
  static Turns* current();
  /// Waits for the values of all shards, of all ranks, and returns what they are together. Throws Error where another
  /// shard of this rank ends without calling it.
  Tensor meet(const Tensor& mine, Combine combine);
  /// Whether the shard that runs is the last one of this rank.
  bool is_last() const { return turn_ + 1 == last_; }

 private:
  void run_one(int64_t shard, const std::function<void(int64_t)>& body);
  void wait_for_turn(int64_t shard);
  void pass_on();

  Transport& transport_;
  const int64_t first_, last_, shards_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // What follows belongs to the shard whose turn it is.
  int64_t turn_ = 0;
  std::vector<bool> ended_;             // by shard - first_
  std::exception_ptr error_ = nullptr;  // the first
  std::vector<Node> nodes_;             // of the shards that have come to the meeting
  Tensor together_;                     // of the last meeting
  int64_t meetings_ = 0;
};

}  // namespace tapegrad::distributed
