// What is done to each sample on its way into a batch, with random numbers that depend on the seed, the epoch and the sample
// alone: not on the order, the batch or the thread.
//
//   datasets::Transformed train(images, {.x = {datasets::random_crop(28, 28, {.padding = 2}), datasets::normalize({0.13}, {0.31})},
//                                        .seed = 7});
//   for (auto [x, y] : data::LoaderOf(train, {.batch_size = 64, .shuffle = true, .workers = 2})) ...
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <tapegrad/data/loader.h>
#include <tapegrad/random.h>

namespace tapegrad::datasets {

/// A sample becomes another one. Any function is one; it is called on several threads at once, and takes its random
/// numbers from `random`, never from default_generator().
using Transform = std::function<Tensor(const Tensor& sample, Generator& random)>;

/// y = (x - mean) / std, of each channel of a sample [C, ...], or of the whole where mean and std have one number.
/// **Throws** ValueError unless there are as many of both and every std is positive, ShapeError for another C.
Transform normalize(std::vector<double> mean, std::vector<double> std);

struct CropOptions {
  int64_t padding = 0;  ///< zeros around the sample before it is cut
};

/// A part of `height` x `width` of the last two axes, at a random place.
/// **Throws** ValueError for sizes below 1 or a negative padding, ShapeError where the padded sample is smaller.
Transform random_crop(int64_t height, int64_t width, CropOptions options = {});

/// The last axis reversed with probability p: left and right exchanged. **Throws** ValueError unless p is in [0, 1].
Transform random_flip(double p = 0.5);

/// y = x + std z, z normal. **Throws** ValueError unless std is at least 0.
Transform noise(double std);

/// A label becomes `num_classes` numbers, 1 at the label and 0 elsewhere. **Throws** ValueError unless num_classes is positive.
Transform one_hot(int64_t num_classes);

struct Transforms {
  std::vector<Transform> x = {};  ///< one after the other, for the first tensor of a batch
  std::vector<Transform> y = {};  ///< the same for the second
  uint64_t seed = 0;
};

namespace detail {
// Each sample of a batch transformed; what comes out has one shape.
void transform(data::Batch& batch, const Transforms& transforms, std::span<const int64_t> indices, int64_t epoch);
}  // namespace detail

/// A dataset of x and y whose samples are transformed when they are asked for.
///
/// **Throws** ShapeError where the samples of a batch come out with different shapes, and as the transforms.
template <class Dataset>
class Transformed {
 public:
  Transformed(Dataset dataset, Transforms transforms)
      : dataset_(std::move(dataset)), transforms_(std::move(transforms)) {}

  int64_t size() const { return dataset_.size(); }
  data::Batch get(std::span<const int64_t> indices, int64_t epoch = 0) const {
    data::Batch batch = data::detail::batch_of(dataset_, indices, epoch);
    detail::transform(batch, transforms_, indices, epoch);
    return batch;
  }

 private:
  Dataset dataset_;
  Transforms transforms_;
};

}  // namespace tapegrad::datasets
