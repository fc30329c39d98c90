#include "distributed/turns.h"

#include <algorithm>

#include "core/fail.h"

namespace tapegrad::distributed {

namespace {

thread_local Turns* running = nullptr;
thread_local int64_t own_shard = 0;

}  // namespace

Turns* Turns::current() { return running; }

void Turns::run_one(int64_t shard, const std::function<void(int64_t)>& body) {
  Turns* const before = std::exchange(running, this);
  own_shard = shard;
  try {
    body(shard);
  } catch (...) {
    if (!error_) error_ = std::current_exception();
  }
  running = before;
}

void Turns::run(bool meet, const std::function<void(int64_t)>& body) {
  turn_ = first_;
  ended_.assign(size_t(last_ - first_), false);
  if (meet && last_ - first_ > 1) {
    std::vector<std::thread> threads;
    for (int64_t shard = first_; shard < last_; ++shard)
      threads.emplace_back([this, shard, &body] {
        wait_for_turn(shard);
        run_one(shard, body);
        ended_[size_t(shard - first_)] = true;
        pass_on();
      });
    for (std::thread& thread : threads) thread.join();
  } else {
    for (int64_t shard = first_; shard < last_ && !error_; ++shard) run_one(shard, body);
  }
  if (error_) std::rethrow_exception(error_);
}

void Turns::wait_for_turn(int64_t shard) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return turn_ == shard; });
}

// To the next shard that has not ended, if there is one.
void Turns::pass_on() {
  {
    const std::lock_guard lock(mutex_);
    const int64_t n = last_ - first_, own = turn_ - first_;
    for (int64_t next = 1; next <= n; ++next)
      if (const int64_t i = (own + next) % n; !ended_[size_t(i)]) {
        turn_ = first_ + i;
        break;
      }
  }
  changed_.notify_all();
}

Tensor Turns::meet(const Tensor& mine, Combine combine) {
  const int64_t shard = own_shard, meeting = meetings_;
  push(nodes_, {shard, shard + 1, mine}, shards_, combine);
  if (shard + 1 == last_ && std::none_of(ended_.begin(), ended_.end(), [](bool ended) { return ended; })) {
    transport_
        .post("SyncBatchNorm", [&] { together_ = all_reduce(transport_, std::move(nodes_), shards_, combine, false); })
        .get();
    nodes_.clear();
    ++meetings_;
  }
  if (last_ - first_ > 1) {
    pass_on();
    wait_for_turn(shard);
  }
  if (meetings_ == meeting)
    fail<Error>("SyncBatchNorm", "another shard ended without coming here: all must run the same layers");
  return together_;
}

}  // namespace tapegrad::distributed
