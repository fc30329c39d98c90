#include <tapegrad/datasets/sampler.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

#include "core/fail.h"
#include "datasets/random.h"

namespace tapegrad::datasets {

struct Sampler::Cache {
  std::mutex mutex;
  int64_t epoch = -1;
  std::shared_ptr<const std::vector<int64_t>> order;
};

Sampler::Sampler(int64_t size, std::function<std::vector<int64_t>(int64_t)> order)
    : size_(size), order_(std::move(order)), cache_(std::make_shared<Cache>()) {
  if (size < 1) fail<ValueError>("Sampler", "there must be a sample at least, got {}", size);
}

std::vector<int64_t> Sampler::at(std::span<const int64_t> places, int64_t epoch) const {
  std::shared_ptr<const std::vector<int64_t>> order;
  {
    const std::lock_guard lock(cache_->mutex);
    if (!cache_->order || cache_->epoch != epoch) {
      cache_->order = std::make_shared<const std::vector<int64_t>>(order_(epoch));
      cache_->epoch = epoch;
    }
    order = cache_->order;
  }
  if (int64_t(order->size()) != size_)
    fail<ValueError>("Sampler", "an epoch must have {} samples, got {}", size_, order->size());
  std::vector<int64_t> indices;
  for (int64_t place : places) {
    if (place < 0 || place >= size_) fail<IndexError>("Sampler", "place {} is outside [0, {})", place, size_);
    indices.push_back((*order)[size_t(place)]);
  }
  return indices;
}

namespace {

void shuffle(std::span<int64_t> values, Generator& random) {
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[size_t(random.below(int64_t(i)))]);
}

std::vector<int64_t> counted(size_t n) {
  std::vector<int64_t> all(n);
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

}  // namespace

Sampler weighted_sampler(const Tensor& weights, int64_t num_samples, WeightedOptions options) {
  const std::vector<double> w = weights.to(float64).to_vector<double>();
  const bool fit = std::ranges::all_of(w, [](double x) { return std::isfinite(x) && x >= 0; });
  const int64_t positive = std::ranges::count_if(w, [](double x) { return x > 0; });
  if (weights.dim() != 1 || !fit || positive == 0)
    fail<ValueError>("weighted_sampler",
                     "weights must be a vector of finite numbers >= 0, one of them positive, got {} {}",
                     weights.dtype(), weights.shape());
  if (num_samples < 1 || (!options.replacement && num_samples > positive))
    fail<ValueError>("weighted_sampler", "num_samples must be in [1, {}], got {}",
                     options.replacement ? "2^63)" : fmt::format("{}", positive), num_samples);
  if (!options.replacement)
    // The n largest of u^(1/w), by their logarithms.
    return Sampler(num_samples, [=](int64_t epoch) {
      Generator random = generator_of(Use::sampler, options.seed, epoch);
      std::vector<double> keys;
      for (double x : w) keys.push_back(x > 0 ? std::log1p(-random.uniform()) / x : -INFINITY);
      std::vector<int64_t> order = counted(w.size());
      std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return keys[size_t(a)] > keys[size_t(b)]; });
      order.resize(size_t(num_samples));
      return order;
    });
  std::vector<double> sums(w.size());
  std::partial_sum(w.begin(), w.end(), sums.begin());
  return Sampler(num_samples, [=](int64_t epoch) {
    Generator random = generator_of(Use::sampler, options.seed, epoch);
    std::vector<int64_t> order;
    for (int64_t i = 0; i < num_samples; ++i) {
      const auto found = std::ranges::upper_bound(sums, random.uniform() * sums.back());
      order.push_back(std::min(found - sums.begin(), std::ranges::lower_bound(sums, sums.back()) - sums.begin()));
    }
    return order;
  });
}

Sampler class_sampler(const Tensor& labels, int64_t num_samples, SamplerOptions options) {
  if (labels.dim() != 1 || labels.dtype() != int64 || labels.numel() == 0 || num_samples < 1)
    fail<ValueError>("class_sampler", "labels must be an int64 vector and num_samples positive, got {} {} and {}",
                     labels.dtype(), labels.shape(), num_samples);
  std::map<int64_t, std::vector<int64_t>> members;
  const std::vector<int64_t> y = labels.to_vector<int64_t>();
  for (size_t i = 0; i < y.size(); ++i) members[y[i]].push_back(int64_t(i));
  std::vector<std::vector<int64_t>> classes;
  for (auto& [label, samples] : members) classes.push_back(std::move(samples));
  return Sampler(num_samples, [=](int64_t epoch) {
    Generator random = generator_of(Use::sampler, options.seed, epoch);
    std::vector<std::vector<int64_t>> left = classes;
    std::vector<size_t> used(classes.size(), 0);
    for (auto& samples : left) shuffle(samples, random);
    std::vector<int64_t> order, round = counted(classes.size());
    while (int64_t(order.size()) < num_samples) {
      shuffle(round, random);
      for (int64_t c : round) {
        auto& samples = left[size_t(c)];
        size_t& next = used[size_t(c)];
        if (next == samples.size()) {
          shuffle(samples, random);
          next = 0;
        }
        order.push_back(samples[next++]);
      }
    }
    order.resize(size_t(num_samples));
    return order;
  });
}

Sampler length_sampler(std::vector<int64_t> lengths, int64_t batch_size, SamplerOptions options) {
  if (lengths.empty() || batch_size < 1)
    fail<ValueError>("length_sampler", "there must be lengths and a positive batch_size, got {} and {}", lengths.size(),
                     batch_size);
  const int64_t n = int64_t(lengths.size());
  return Sampler(n, [=, lengths = std::move(lengths)](int64_t epoch) {
    constexpr int64_t kBatchesOfAPiece = 100;
    Generator random = generator_of(Use::sampler, options.seed, epoch);
    std::vector<int64_t> all = counted(lengths.size());
    shuffle(all, random);
    const int64_t whole = n / batch_size * batch_size, piece = batch_size * kBatchesOfAPiece;
    for (int64_t at = 0; at < whole; at += piece)
      std::stable_sort(all.begin() + at, all.begin() + std::min(at + piece, whole),
                       [&](int64_t a, int64_t b) { return lengths[size_t(a)] < lengths[size_t(b)]; });
    std::vector<int64_t> batches = counted(size_t(n / batch_size)), order;
    shuffle(batches, random);
    for (int64_t batch : batches)
      order.insert(order.end(), all.begin() + batch * batch_size, all.begin() + (batch + 1) * batch_size);
    order.insert(order.end(), all.begin() + whole, all.end());
    return order;
  });
}

}  // namespace tapegrad::datasets
