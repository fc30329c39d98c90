// Which samples of a dataset an epoch has, and in which order.
//
//   datasets::Sampled even(train, datasets::class_sampler(train.y(), train.size()));     // each class as often
//   for (auto [x, y] : data::LoaderOf(even, {.batch_size = 64})) ...
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <tapegrad/data/loader.h>

namespace tapegrad::datasets {

/// The samples of an epoch: a function of the epoch that gives `size` indices. A run that was stopped goes on with the same ones
/// if the function depends on nothing else.
class Sampler {
 public:
  Sampler(int64_t size, std::function<std::vector<int64_t>(int64_t epoch)> order);
  int64_t size() const { return size_; }
  /// What stands at these places of an epoch. **Throws** IndexError outside [0, size()), ValueError where the function gives
  /// another number of indices. Several threads may ask at once; the last epoch's order is kept.
  std::vector<int64_t> at(std::span<const int64_t> places, int64_t epoch) const;

 private:
  struct Cache;
  int64_t size_;
  std::function<std::vector<int64_t>(int64_t)> order_;
  std::shared_ptr<Cache> cache_;
};

struct WeightedOptions {
  bool replacement = true;  ///< a sample may come more than once
  uint64_t seed = 0;
};

/// `num_samples` samples, each drawn with a probability proportional to its weight; without replacement, the chance is that among
/// those that are left. **Throws** ValueError unless the weights are a vector of finite numbers, none negative and one positive,
/// and num_samples is positive and, without replacement, at most the number of positive weights.
/// **Source** without replacement: Efraimidis, Spirakis 2006, "Weighted random sampling with a reservoir".
Sampler weighted_sampler(const Tensor& weights, int64_t num_samples, WeightedOptions options = {});

struct SamplerOptions {
  uint64_t seed = 0;
};

/// `num_samples` samples, of every class as many, up to one: rounds of one sample of each class that occurs, in random order. A class
/// is gone through in random order before one of its samples comes again. **Throws** ValueError unless labels is an int64
/// vector with an element and num_samples is positive.
Sampler class_sampler(const Tensor& labels, int64_t num_samples, SamplerOptions options = {});

/// Every sample once, those of a batch of like length, so that little is padding: shuffled, pieces of 100 batches sorted by
/// length, and the batches shuffled. A smaller batch comes last. The loader's batch_size must be the same, and it must not
/// shuffle. **Throws** ValueError unless there is a length and batch_size is positive.
Sampler length_sampler(std::vector<int64_t> lengths, int64_t batch_size, SamplerOptions options = {});

/// A dataset in the order of a sampler. Give the loader shuffle = false.
template <class Dataset>
class Sampled {
 public:
  Sampled(Dataset dataset, Sampler sampler) : dataset_(std::move(dataset)), sampler_(std::move(sampler)) {}
  int64_t size() const { return sampler_.size(); }
  auto get(std::span<const int64_t> indices, int64_t epoch = 0) const {
    return data::detail::batch_of(dataset_, sampler_.at(indices, epoch), epoch);
  }

 private:
  Dataset dataset_;
  Sampler sampler_;
};

}  // namespace tapegrad::datasets
