#include <tapegrad/data/loader.h>

#include <algorithm>

#include "core/fail.h"
#include "data/order.h"
#include "tensor/state_reader.h"

namespace tapegrad::data {

Loader::Loader(int64_t size, DataLoaderOptions options) : size_(size), options_(options) {
  if (options.batch_size < 1)
    fail<ValueError>("DataLoader", "batch_size must be at least 1, got {}", options.batch_size);
  const auto [first, last, parts] = options.shard;
  if (first < 0 || last <= first || parts < last || parts > options.batch_size)
    fail<ValueError>("DataLoader",
                     "shard must have 0 <= first < last <= parts <= batch_size, got {}, {}, {} and {}", first,
                     last, parts, options.batch_size);
  if (size < 1) fail<ValueError>("DataLoader", "the dataset has no samples");
  if (batches() == 0)
    fail<ValueError>(
        "DataLoader",
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
    fail<IndexError>("DataLoader", "seek takes an epoch >= 0 and a position in [0, {}], got {} and {}",
                     batches(), epoch, position);
  epoch_ = epoch;
  position_ = position;
  running_ = false;
}

StateDict Loader::state_dict() const {
  return {{"seed", integers({int64_t(seed_)})},
          {"epoch", integers({epoch_})},
          {"position", integers({position_})}};
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

std::span<const int64_t> Loader::next() {
  const int64_t first = position_ * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, size_ - first);
  ++position_;
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

}  // namespace tapegrad::data
