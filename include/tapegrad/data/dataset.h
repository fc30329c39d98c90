#pragma once
#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <tapegrad/tensor.h>

namespace tapegrad::data {

/// Some samples: auto [x, y] = dataset.get({0, 1, 2}).
struct Batch {
  Tensor x, y;
};

struct SplitOptions {
  bool shuffle = true;  ///< false: the first ones go to `train`
  /// Which shuffle. A constant, so that what is held back does not change with the seed of the model: a
  /// checkpoint is never tested on what another run trained on.
  uint64_t seed = 0;
};

struct Split;

/// Samples in memory: sample i is x[i] and y[i].
class TensorDataset {
 public:
  /// Throws ShapeError unless x and y have a first axis of the same size.
  TensorDataset(const Tensor& x, const Tensor& y);

  /// Number of samples.
  int64_t size() const { return x().size(0); }
  const Tensor& x() const { return tensors_[0]; }
  const Tensor& y() const { return tensors_[1]; }
  /// Copies of samples, in this order, in new memory. Throws IndexError for one outside [0, size()).
  Batch get(std::span<const int64_t> indices) const;
  Batch get(std::initializer_list<int64_t> indices) const { return get(std::span(indices.begin(), indices.size())); }

  /// Parts them in two: auto [train, test] = dataset.split(0.8). `fraction` goes to train, rounded to whole
  /// samples. Throws ValueError unless it is in [0, 1].
  Split split(double fraction, SplitOptions options = {}) const;

 private:
  std::array<Tensor, 2> tensors_;
};

struct Split {
  TensorDataset train, test;
};

namespace detail {
// Throw ShapeError unless all have a first axis of the same size, and copies that are contiguous.
void check_samples(std::span<Tensor> tensors);
Tensor samples_of(const Tensor& tensor, std::span<const int64_t> indices);
// The indices of the first part of a split, then those of the second.
std::array<std::vector<int64_t>, 2> split_order(int64_t size, double fraction, const SplitOptions& options);
}  // namespace detail

/// Samples of N tensors: sample i is tensor[i] of each. A batch is an array of N tensors:
///
///     data::TensorsDataset waves(x, lengths, y);
///     for (auto [x, lengths, y] : data::LoaderOf(waves, {.batch_size = 32, .shuffle = true})) ...
template <size_t N>
class TensorsDataset {
 public:
  /// Throws ShapeError unless all have a first axis of the same size.
  template <std::convertible_to<Tensor>... T>
  requires(sizeof...(T) == N) explicit TensorsDataset(const T&... tensors) : tensors_{tensors...} {
    detail::check_samples(tensors_);
  }

  int64_t size() const { return tensors_[0].size(0); }
  const std::array<Tensor, N>& tensors() const { return tensors_; }
  /// As TensorDataset::get().
  std::array<Tensor, N> get(std::span<const int64_t> indices) const {
    std::array<Tensor, N> batch;
    for (size_t i = 0; i < N; ++i) batch[i] = detail::samples_of(tensors_[i], indices);
    return batch;
  }

  struct Split {
    TensorsDataset train, test;
  };
  /// As TensorDataset::split().
  Split split(double fraction, SplitOptions options = {}) const {
    const auto [first, second] = detail::split_order(size(), fraction, options);
    return {TensorsDataset(get(first)), TensorsDataset(get(second))};
  }

 private:
  explicit TensorsDataset(std::array<Tensor, N> tensors) : tensors_(std::move(tensors)) {}
  std::array<Tensor, N> tensors_;
};
template <class... T>
TensorsDataset(const T&...) -> TensorsDataset<sizeof...(T)>;

/// Samples that a function makes one at a time, and a function that makes a batch of a list of them:
///
///     const auto pad = [](const std::vector<Tensor>& lines) { ... return Batch{padded, lengths}; };
///     data::CollatedDataset lines(n, [&](int64_t i) { return corpus.encode(line[i]); }, pad);
template <std::invocable<int64_t> Sample, class Collate>
class CollatedDataset {
 public:
  CollatedDataset(int64_t size, Sample sample, Collate collate)
      : size_(size), sample_(std::move(sample)), collate_(std::move(collate)) {}

  int64_t size() const { return size_; }
  auto get(std::span<const int64_t> indices) const {
    std::vector<std::decay_t<std::invoke_result_t<const Sample&, int64_t>>> samples;
    for (int64_t index : indices) samples.push_back(sample_(index));
    return collate_(samples);
  }

 private:
  int64_t size_;
  Sample sample_;
  Collate collate_;
};

}  // namespace tapegrad::data
