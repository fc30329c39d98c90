#include <tapegrad/data/loader.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/fail.h"
#include "data/order.h"
#include "tensor/state_reader.h"

namespace tapegrad::data {

Loader::Loader(int64_t size, DataLoaderOptions options) : size_(size), options_(options) {
  if (options.batch_size < 1)
    fail<ValueError>("DataLoader", "batch_size must be at least 1, got {}", options.batch_size);
  if (options.workers < 0 || options.workers > 256)
    fail<ValueError>("DataLoader", "workers must be in [0, 256], got {}", options.workers);
  const auto [first, last, parts] = options.shard;
  if (first < 0 || last <= first || parts < last || parts > options.batch_size)
    fail<ValueError>("DataLoader", "shard must have 0 <= first < last <= parts <= batch_size, got {}, {}, {} and {}",
                     first, last, parts, options.batch_size);
  if (size < 1) fail<ValueError>("DataLoader", "the dataset has no samples");
  if (batches() == 0)
    fail<ValueError>("DataLoader",
                     "drop_last leaves no batch: there are {} samples, and batch_size is {}. Hint: a smaller batch, "
                     "or drop_last = false",
                     size, options.batch_size);
  seed_ = options.seed.value_or(0);
  if (!options.shuffle || options.seed) return;  // and the generator is left alone
  seed_ = default_generator().next_u64();
}

int64_t Loader::batches() const {
  const int64_t whole = size_ / options_.batch_size, rest = size_ % options_.batch_size;
  return options_.drop_last || rest < options_.shard.parts ? whole : whole + 1;
}

void Loader::seek(int64_t epoch, int64_t position) {
  if (epoch < 0 || position < 0 || position > batches())
    fail<IndexError>("DataLoader", "seek takes an epoch >= 0 and a position in [0, {}], got {} and {}", batches(),
                     epoch, position);
  epoch_ = epoch;
  position_ = position;
  running_ = false;
}

StateDict Loader::state_dict() const {
  return {{"seed", integers({int64_t(seed_)})}, {"epoch", integers({epoch_})}, {"position", integers({position_})}};
}

void Loader::load_state_dict(const StateDict& state) {
  StateReader reader("DataLoader", state);
  const Tensor seed = reader.take("seed", {1}, int64);
  const int64_t epoch = reader.counts("epoch")[0];
  const int64_t position = reader.counts("position", 1, batches())[0];
  reader.finish();
  seed_ = uint64_t(seed.to_vector<int64_t>()[0]);
  seek(epoch, position);
}

void Loader::start() {
  if (running_) {  // the loop before was left by break
    ++epoch_;
    position_ = 0;
  }
  running_ = true;
  sample_order(order_, size_, options_.shuffle, seed_, epoch_);
}

std::span<const int64_t> Loader::next() { return samples(position_++); }

std::span<const int64_t> Loader::samples(int64_t batch) const {
  const int64_t first = batch * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, size_ - first);
  const auto begin = [&, parts = options_.shard.parts](int64_t part) {
    return first + part * (count / parts) + std::min(part, count % parts);
  };
  const int64_t from = begin(options_.shard.first), to = begin(options_.shard.last);
  return std::span<const int64_t>(order_).subspan(size_t(from), size_t(to - from));
}

bool Loader::finished() {
  if (position_ < batches()) return false;
  ++epoch_;
  position_ = 0;
  running_ = false;
  return true;
}

struct detail::Workers {
  using Made = std::pair<std::shared_ptr<void>, std::exception_ptr>;
  std::function<std::shared_ptr<void>(int64_t)> make;
  int64_t started, taken, last;
  std::vector<std::optional<Made>> made;  // batch n at n % size: free once the one before it there is taken
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::thread> threads;

  ~Workers() {
    std::unique_lock lock(mutex);
    last = started;
    lock.unlock();
    changed.notify_all();
    for (std::thread& thread : threads) thread.join();
  }
  std::optional<Made>& place(int64_t n) { return made[size_t(n) % made.size()]; }
  void work() {
    for (std::unique_lock lock(mutex);;) {
      changed.wait(lock, [this] { return started == last || started < taken + int64_t(made.size()); });
      if (started == last) return;
      const int64_t n = started++;
      lock.unlock();
      Made result;
      try {
        result.first = make(n);
      } catch (...) {
        result.second = std::current_exception();
      }
      lock.lock();
      place(n) = std::move(result);
      changed.notify_all();
    }
  }
};

std::shared_ptr<detail::Workers> detail::start_workers(int64_t threads, int64_t first, int64_t last,
                                                       std::function<std::shared_ptr<void>(int64_t)> make) {
  auto workers = std::make_shared<Workers>();
  workers->make = std::move(make);
  workers->started = workers->taken = first;
  workers->last = last;
  workers->made.resize(size_t(2 * threads));
  try {
    while (threads-- > 0) workers->threads.emplace_back(&Workers::work, workers.get());
  } catch (const std::system_error&) {
    // The system has no more threads: go on with those there are.
  }
  return workers;
}

std::shared_ptr<void> detail::take_batch(Workers& workers, int64_t batch) {
  std::unique_lock lock(workers.mutex);
  if (batch != workers.taken || workers.threads.empty()) return nullptr;
  std::optional<Workers::Made>& place = workers.place(batch);
  workers.changed.wait(lock, [&] { return place.has_value(); });
  const Workers::Made result = *std::exchange(place, std::nullopt);
  ++workers.taken;
  workers.changed.notify_all();
  if (result.second) std::rethrow_exception(result.second);
  return result.first;
}

}  // namespace tapegrad::data
