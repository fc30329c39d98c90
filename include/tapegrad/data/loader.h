#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <tapegrad/data/dataset.h>
#include <tapegrad/state.h>

namespace tapegrad::data {

/// The part of each batch that a process takes, where several share them: of `parts` parts, which differ by one sample at
/// most, the first ones being the larger, those from `first` to before `last`.
struct Shard {
  int64_t first = 0, last = 1, parts = 1;
};

struct DataLoaderOptions {
  int64_t batch_size = 1;  ///< >= 1
  bool shuffle = false;    ///< a new order each epoch
  bool drop_last = false;  ///< leave out a last batch that is smaller than the others
  /// Of the orders; unset: a number from default_generator(), so that manual_seed() decides and a loader that
  /// is made anew for each epoch has a new order each time.
  std::optional<uint64_t> seed = {};
  /// Threads that make batches ahead of the loop, at most two each: the same batches in the same order, and what
  /// one throws comes where it is handed out. They call the dataset's get() at the same time.
  int64_t workers = 0;
  /// Of each batch, batch_size and the positions being those of the whole; it needs a seed that all have. A last batch
  /// with less samples than parts is left out.
  Shard shard = {};
};

namespace detail {
template <class Dataset>
auto batch_of(const Dataset& dataset, std::span<const int64_t> indices, int64_t epoch) {
  if constexpr (requires { dataset.get(indices, epoch); })
    return dataset.get(indices, epoch);
  else
    return dataset.get(indices);
}

// Threads that make the batches `first` to `last - 1`, at most 2 * threads of them before the next one that is taken.
struct Workers;
std::shared_ptr<Workers> start_workers(int64_t threads, int64_t first, int64_t last,
                                       std::function<std::shared_ptr<void>(int64_t batch)> make);
// Waits for the batch and throws what making it threw; null where it is not the next one.
std::shared_ptr<void> take_batch(Workers& workers, int64_t batch);
}  // namespace detail

/// Which samples are in which batch: what loaders of all datasets have in common.
class Loader : public Stateful {
 public:
  /// Batches in an epoch, at least 1.
  int64_t batches() const;
  /// The epoch that is running, or else the next one.
  int64_t epoch() const { return epoch_; }
  /// Batches of this epoch that were handed out.
  int64_t position() const { return position_; }
  uint64_t seed() const { return seed_; }
  int64_t workers() const { return options_.workers; }
  /// The next loop is the rest of `epoch` from batch `position` on. Throws IndexError unless epoch >= 0 and
  /// 0 <= position <= batches().
  void seek(int64_t epoch, int64_t position = 0);

  /// "seed", "epoch" and "position", so that the next loop is the rest of the epoch.
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 protected:
  Loader(int64_t size, DataLoaderOptions options);
  void start();
  std::span<const int64_t> next();
  std::span<const int64_t> samples(int64_t batch) const;
  bool finished();

 private:
  int64_t size_;
  DataLoaderOptions options_;
  uint64_t seed_;
  int64_t epoch_ = 0, position_ = 0;
  bool running_ = false;
  std::vector<int64_t> order_;  // of the samples in this epoch
};

/// The batches of a dataset, in a loop:
///
///     DataLoader loader(train, {.batch_size = 32, .shuffle = true});
///     for (int epoch = 0; epoch < 10; ++epoch)
///       for (auto [x, y] : loader) ...
///
/// Each loop is an epoch, whether it was run to its end or left by break. The order of an epoch depends on
/// the seed and the epoch's number alone, so a run that was stopped goes on where it was: save seed(),
/// epoch() and position(), and seek() there. A batch is copied into memory of its own, which comes from the
/// pool.
///
/// A dataset is anything with `int64_t size() const` and `get(std::span<const int64_t> indices) const`, whose
/// result is what the loop hands out: TensorDataset, TensorsDataset, CollatedDataset, TextWindows, one of
/// your own. Where get() takes the epoch as a second argument, what it gives may change with it.
template <class Dataset>
class LoaderOf : public Loader {
 public:
  using Batch = decltype(detail::batch_of(std::declval<const Dataset&>(), {}, 0));

  /// Throws ValueError unless batch_size >= 1 and there is a batch: for a dataset without samples, and for
  /// drop_last with fewer samples than one batch has.
  LoaderOf(Dataset dataset, DataLoaderOptions options = {})
      : Loader(dataset.size(), options), dataset_(std::make_shared<const Dataset>(std::move(dataset))) {}

  struct End {};
  struct Iterator {
    LoaderOf* loader;
    Batch operator*() const { return loader->batch(); }
    Iterator& operator++() { return *this; }
    bool operator!=(End) const { return !loader->finished(); }
  };
  Iterator begin() {
    ahead_.reset();
    start();
    if (workers() > 0)
      ahead_ = detail::start_workers(workers(), position(), batches(), [loader = *this](int64_t n) {
        return std::make_shared<Batch>(detail::batch_of(*loader.dataset_, loader.samples(n), loader.epoch()));
      });
    return {this};
  }
  End end() const { return {}; }

 private:
  Batch batch() {
    const std::span<const int64_t> indices = next();
    const auto made = ahead_ ? detail::take_batch(*ahead_, position() - 1) : nullptr;
    if (made) return std::move(*std::static_pointer_cast<Batch>(made));
    return detail::batch_of(*dataset_, indices, epoch());
  }

  std::shared_ptr<const Dataset> dataset_;
  // A copy of the loader may share them: what they make belongs to one epoch.
  std::shared_ptr<detail::Workers> ahead_;
};

/// Batches of x and y.
using DataLoader = LoaderOf<TensorDataset>;

}  // namespace tapegrad::data
