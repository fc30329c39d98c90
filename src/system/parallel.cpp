// A pool with one job at a time. The caller publishes the job, takes part in it and closes it; a worker that
// comes while it is open takes chunks from a shared counter.
//
//   caller   write job; open = true; epoch += 1; take chunks; open = false; wait until inside == 0
//   worker   see a new epoch; inside += 1; if open, take chunks; inside -= 1
//
// The order of `inside += 1, read open` against `open = false, read inside` (sequentially consistent) is what
// makes it safe: either the worker sees the job closed, or the caller sees the worker inside and waits for
// it. A worker that sleeps too long is not waited for: the caller has then done its share.
#include "system/parallel.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "core/fail.h"
#include "system/denormals.h"
#if defined(__linux__)
#include <sched.h>
#endif

namespace tapegrad {

namespace {

constexpr int max_threads = 256;

int default_threads() {
  if (const char* wish = std::getenv("TAPEGRAD_NUM_THREADS")) {
    const long n = std::strtol(wish, nullptr, 10);
    if (n >= 1) return int(std::min<long>(n, max_threads));
  }
  int cores = int(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) == 0) cores = CPU_COUNT(&usable);
#endif
  return std::clamp(cores, 1, max_threads);
}

std::atomic<int>& thread_limit() {
  static std::atomic<int> limit = default_threads();
  return limit;
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True while this thread runs a chunk: a call from inside one must not wait for the workers that wait for it.
thread_local bool inside_chunk = false;

// Set when the pool has been destroyed at exit: whatever runs later runs in its caller.
std::atomic<bool> pool_is_gone = false;

struct Job {
  int64_t chunks = 0;
  void (*run)(const void*, int64_t) = nullptr;
  const void* body = nullptr;
  int helpers = 0;
  uint64_t floating_mode = tapegrad::floating_mode();
};

class Pool {
 public:
  ~Pool() {
    pool_is_gone = true;
    const std::lock_guard<std::mutex> lock(owner_);
    stop_ = true;
    wake();
    for (std::thread& worker : workers_) worker.join();
  }

  // False where another thread has the pool, or there is none to help.
  bool run(const Job& job) {
    const std::unique_lock<std::mutex> lock(owner_, std::try_to_lock);
    if (!lock || !start(job.helpers)) return false;
    job_ = job;
    next_.store(0, std::memory_order_relaxed);
    open_ = true;
    wake();
    take_chunks();
    open_ = false;
    for (int spins = 0; inside_ != 0; ++spins)
      spins < 10000 ? relax() : std::this_thread::yield();  // the worker may need this very core to finish
    return true;
  }

 private:
  bool start(int wanted) {
    try {
      while (int(workers_.size()) < wanted)
        workers_.emplace_back([this, index = int(workers_.size()), seen = epoch_.load()] { work(index, seen); });
    } catch (const std::system_error&) {
      // The system has no more threads: go on with those there are.
    }
    return !workers_.empty();
  }

  void wake() {
    epoch_.fetch_add(1);
    if (sleeping_ != 0) epoch_.notify_all();
  }

  void work(int index, uint32_t seen) {
    inside_chunk = true;
    for (;;) {
      seen = wait_for_change(seen);
      if (stop_) return;
      inside_.fetch_add(1);
      if (open_ && index < job_.helpers) {
        set_floating_mode(job_.floating_mode);  // a chunk gives the same bits on every thread
        take_chunks();
      }
      inside_.fetch_sub(1);
    }
  }

  // Within a step the next job comes after some microseconds, and waking a sleeper takes longer than that.
  uint32_t wait_for_change(uint32_t seen) {
    const auto start = std::chrono::steady_clock::now();
    do {
      for (int i = 0; i < 64; ++i) {
        if (const uint32_t now = epoch_; now != seen) return now;
        relax();
      }
    } while (std::chrono::steady_clock::now() - start < std::chrono::microseconds(30));
    sleeping_.fetch_add(1);
    epoch_.wait(seen);
    sleeping_.fetch_sub(1);
    return epoch_;
  }

  void take_chunks() {
    for (int64_t chunk; (chunk = next_.fetch_add(1, std::memory_order_relaxed)) < job_.chunks;)
      job_.run(job_.body, chunk);
  }

  Job job_;  // written only by the owner while it is closed and nobody is inside
  std::atomic<int64_t> next_ = 0;
  alignas(64) std::atomic<bool> open_ = false;
  std::atomic<int> inside_ = 0;
  std::atomic<uint32_t> epoch_ = 0;
  std::atomic<int> sleeping_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex owner_;
  std::vector<std::thread> workers_;
};

}  // namespace

void set_num_threads(int n) {
  if (n < 1) fail<ValueError>("set_num_threads", "n must be at least 1, got {}", n);
  thread_limit() = std::min(n, max_threads);
}

int get_num_threads() { return thread_limit(); }

void detail::run_chunks(int64_t chunks, void (*run)(const void*, int64_t), const void* body) {
  if (chunks <= 0) return;
  const int threads = int(std::min<int64_t>(get_num_threads(), chunks));
  if (threads > 1 && !inside_chunk && !pool_is_gone) {
    static Pool pool;
    inside_chunk = true;
    const bool done = pool.run({chunks, run, body, threads - 1});
    inside_chunk = false;
    if (done) return;
  }
  for (int64_t chunk = 0; chunk < chunks; ++chunk) run(body, chunk);
}

}  // namespace tapegrad
