// The one place that calls MPI. Open MPI's non-blocking collectives make no progress by themselves, and no MPI promises the
// order in which a collective adds; so what is sent are messages between two ranks, from a thread that does nothing else.
//
// A wait polls and sleeps, for the thread must not take the core from the one that computes; and it ends: at the deadline
// with a message that says who waited for whom, and MPI_Abort.
#pragma once
#include <tapegrad/tensor.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <span>
#include <string>
#include <thread>

namespace tapegrad::distributed {

class Transport {
 public:
  /// One rank, without MPI.
  Transport() = default;
  /// Those that mpirun started.
  Transport(int argc, char** argv, double deadline);
  /// Leaves MPI, once all ranks have come here.
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  int rank = 0, ranks = 1;
  std::atomic<int64_t> step = 0;  // for messages

  /// Runs `job` on the thread that talks, behind those before; in the caller where there is one rank. The ranks must post
  /// the same jobs in the same order. The future has what the job threw.
  std::future<void> post(const char* name, std::function<void()> job);

  // For jobs.
  void send(int to, std::span<const std::byte> data) { exchange(to, data, {}); }
  void receive(int from, std::span<std::byte> data) { exchange(from, {}, data); }
  /// Both at once.
  void exchange(int with, std::span<const std::byte> out, std::span<std::byte> in);

 private:
  struct Job {
    const char* name;
    std::packaged_task<void()> task;
  };
  void work();

  double deadline_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool ends_ = false;
  const char* job_ = "";  // that runs
  int tag_ = 0;           // of the job that runs: messages of another never match
};

}  // namespace tapegrad::distributed
