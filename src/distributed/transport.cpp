#include "distributed/transport.h"

#include <mpi.h>
#include <tapegrad/distributed/context.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <utility>

#include "core/fail.h"

namespace tapegrad::distributed {

namespace {

using Clock = std::chrono::steady_clock;

// The transport that is in MPI, for what happens when the process ends without leaving it.
std::atomic<Transport*> joined = nullptr;
std::terminate_handler terminate_before = nullptr;

// Ends all ranks.
[[noreturn]] void abort_job(const std::string& why) {
  if (const Transport* transport = joined.exchange(nullptr)) {
    fmt::print(stderr, "tapegrad: rank {} of {} ends the job at step {}: {}\n", transport->rank, transport->ranks,
               transport->step.load(), why);
    std::fflush(nullptr);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // MPICH's mpirun forgets what came just before
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  std::_Exit(1);
}

// Nobody caught an exception.
[[noreturn]] void on_terminate() {
  if (!joined) terminate_before();
  std::string why = "std::terminate was called";
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
  } catch (const std::exception& error) {
    why = error.what();
  } catch (...) {
    why = "an exception that is no std::exception";
  }
  abort_job(why);
}

// exit(), or a return from main() after an exception: the others would wait.
void on_exit() {
  if (joined) abort_job("it ended while the others go on, by exit() or by an exception that it caught");
}

}  // namespace

bool was_launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK"})
    if (std::getenv(name)) return true;
  return false;
}

Transport::Transport(int argc, char** argv, double deadline) : deadline_(deadline) {
  if (!was_launched()) return;
  int level = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  joined = this;
  terminate_before = std::set_terminate(on_terminate);
  std::atexit(on_exit);
  if (level < MPI_THREAD_SERIALIZED) fail<Error>("Context", "MPI must allow calls from any thread, one at a time");
  thread_ = std::thread([this] { work(); });
}

Transport::~Transport() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (!joined.exchange(nullptr)) return;
#if defined(MPICH_NUMVERSION) && MPICH_NUMVERSION < 40200000
  // Over TCP its MPI_Finalize waits for ever where one rank leaves while another still polls for its last message
  // (docs/distributed.md): so all stop polling before one leaves.
  if (ranks > 1) std::this_thread::sleep_for(std::chrono::milliseconds(100));
#endif
  MPI_Finalize();
}

std::future<void> Transport::post(const char* name, std::function<void()> job) {
  Job next{name, std::packaged_task<void()>(std::move(job))};
  std::future<void> done = next.task.get_future();
  if (!thread_.joinable()) {
    next.task();
    return done;
  }
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(next));
  }
  changed_.notify_all();
  return done;
}

void Transport::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ends_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job_ = job.name;
    tag_ = (tag_ + 1) % 32768;  // MPI promises no more tags
    job.task();
  }
}

void Transport::exchange(int with, std::span<const std::byte> out, std::span<std::byte> in) {
  if (std::max(out.size(), in.size()) > size_t(std::numeric_limits<int>::max()))
    fail<ValueError>("distributed", "a message must have less than 2 GiB, got {} bytes",
                     std::max(out.size(), in.size()));
  MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
  // In this order: a rank that answered before it asks would have its answer wait behind the other's data (docs/distributed.md).
  if (!out.empty()) MPI_Isend(out.data(), int(out.size()), MPI_BYTE, with, tag_, MPI_COMM_WORLD, &requests[1]);
  if (!in.empty()) MPI_Irecv(in.data(), int(in.size()), MPI_BYTE, with, tag_, MPI_COMM_WORLD, &requests[0]);
  const Clock::time_point begin = Clock::now();
  int done = 0;
  for (int64_t turn = 1;; ++turn) {
    MPI_Testall(2, requests, &done, MPI_STATUSES_IGNORE);
    if (done) return;
    if (turn < 200)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    if (turn % 256 == 0 && std::chrono::duration<double>(Clock::now() - begin).count() > deadline_)
      abort_job(
          fmt::format("it waited {} s for rank {} in '{}'. Hint: rank {} hangs, or does what takes long; "
                      "ContextOptions.deadline is the limit",
                      deadline_, with, job_, with));
  }
}

}  // namespace tapegrad::distributed
