#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>

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
  int64_t size() const { return x_.size(0); }
  const Tensor& x() const { return x_; }
  const Tensor& y() const { return y_; }
  /// Copies of samples, in this order, in new memory. Throws IndexError for one outside [0, size()).
  Batch get(std::span<const int64_t> indices) const;
  Batch get(std::initializer_list<int64_t> indices) const {
    return get(std::span(indices.begin(), indices.size()));
  }

  /// Parts them in two: auto [train, test] = dataset.split(0.8). `fraction` goes to train, rounded to whole
  /// samples. Throws ValueError unless it is in [0, 1].
  Split split(double fraction, SplitOptions options = {}) const;

 private:
  Tensor x_, y_;
};

struct Split {
  TensorDataset train, test;
};

}  // namespace tapegrad::data
