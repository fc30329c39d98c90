#pragma once
#include <cstdint>
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
  /// Of each batch, batch_size and the positions being those of the whole; it needs a seed that all have. A last batch
  /// with less samples than parts is left out.
  Shard shard = {};
};

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
/// your own.
template <class Dataset>
class LoaderOf : public Loader {
 public:
  using Batch = decltype(std::declval<const Dataset&>().get(std::span<const int64_t>()));

  /// Throws ValueError unless batch_size >= 1 and there is a batch: for a dataset without samples, and for
  /// drop_last with fewer samples than one batch has.
  LoaderOf(Dataset dataset, DataLoaderOptions options = {})
      : Loader(dataset.size(), options), dataset_(std::move(dataset)) {}

  struct End {};
  struct Iterator {
    LoaderOf* loader;
    Batch operator*() const { return loader->dataset_.get(loader->next()); }
    Iterator& operator++() { return *this; }
    bool operator!=(End) const { return !loader->finished(); }
  };
  Iterator begin() {
    start();
    return {this};
  }
  End end() const { return {}; }

 private:
  Dataset dataset_;
};

/// Batches of x and y.
using DataLoader = LoaderOf<TensorDataset>;

}  // namespace tapegrad::data
