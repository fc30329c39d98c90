#include <tapegrad/datasets/transform.h>
#include <tapegrad/ops.h>

#include <algorithm>
#include <numbers>

#include "core/fail.h"
#include "datasets/random.h"
#include "tensor/bytes.h"
#include "tensor/impl.h"

namespace tapegrad::datasets {

Transform normalize(std::vector<double> mean, std::vector<double> std) {
  if (mean.empty() || mean.size() != std.size() || !std::ranges::all_of(std, [](double s) { return s > 0; }))
    fail<ValueError>("normalize", "mean and std must have as many numbers, and std positive ones, got {} and {} ({})",
                     mean.size(), std.size(), fmt::join(std, ", "));
  const int64_t n = int64_t(mean.size());
  return [n, mean = from_vector(mean, {n}), std = from_vector(std, {n})](const Tensor& x, Generator&) {
    Shape shape = x.shape();
    std::fill(shape.begin(), shape.end(), int64_t{1});
    if (n > 1) {
      if (x.dim() == 0 || x.size(0) != n)
        fail<ShapeError>("normalize", "a sample must be [{}, ...], got {}", n, x.shape());
      shape[0] = n;
    } else if (x.dim() == 0) {
      shape = {};
    }
    return (x - mean.to(x.dtype()).reshape(shape)) / std.to(x.dtype()).reshape(shape);
  };
}

Transform random_crop(int64_t height, int64_t width, CropOptions options) {
  const int64_t p = options.padding;
  if (height < 1 || width < 1 || p < 0)
    fail<ValueError>("random_crop", "sizes must be positive and padding not negative, got {} x {} and {}", height,
                     width, p);
  return [=](const Tensor& x, Generator& random) {
    if (x.dim() < 2 || x.size(-2) + 2 * p < height || x.size(-1) + 2 * p < width)
      fail<ShapeError>("random_crop", "{} x {} do not fit a sample {} with padding {}", height, width, x.shape(), p);
    const Tensor padded = p > 0 ? pad(x, {p, p, p, p}) : x;
    const int64_t top = random.below(padded.size(-2) - height + 1);
    const int64_t left = random.below(padded.size(-1) - width + 1);
    return narrow(narrow(padded, -2, top, height), -1, left, width);
  };
}

Transform random_flip(double p) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("random_flip", "p must be in [0, 1], got {}", p);
  return [=](const Tensor& x, Generator& random) { return random.uniform() < p ? flip(x, {-1}) : x; };
}

// Box and Muller: two uniform numbers for a normal one.
Transform noise(double std) {
  if (!(std >= 0)) fail<ValueError>("noise", "std must be at least 0, got {}", std);
  return [=](const Tensor& x, Generator& random) {
    const auto uniform = [&] { return tapegrad::detail::uniform(x.shape(), {.dtype = x.dtype()}, random); };
    const Tensor radius = sqrt(-2.0 * log(1.0 - uniform()));
    return x + std * radius * cos(2 * std::numbers::pi * uniform());
  };
}

Transform one_hot(int64_t num_classes) {
  if (num_classes < 1) fail<ValueError>("one_hot", "num_classes must be positive, got {}", num_classes);
  return [=](const Tensor& label, Generator&) { return tapegrad::one_hot(label, num_classes); };
}

namespace {

Tensor transformed(const Tensor& batch, const std::vector<Transform>& transforms, std::span<Generator> random) {
  if (transforms.empty() || random.empty()) return batch;
  Tensor out;
  for (size_t i = 0; i < random.size(); ++i) {
    Tensor sample = batch[int64_t(i)];
    for (const Transform& f : transforms) sample = f(sample, random[i]);
    sample = sample.detach().contiguous();
    if (i == 0) {
      Shape shape = sample.shape();
      shape.insert(0, int64_t(random.size()));
      out = empty(shape, {.dtype = sample.dtype()});
    } else if (sample.shape() != out[0].shape() || sample.dtype() != out.dtype()) {
      fail<ShapeError>("Transformed", "samples of a batch must come out alike, got {} {} and {} {}", out[0].dtype(),
                       out[0].shape(), sample.dtype(), sample.shape());
    }
    const std::span<const std::byte> from = tapegrad::detail::bytes_of(sample);
    std::ranges::copy(from, tapegrad::detail::mutable_bytes_of(out).begin() + int64_t(i * from.size()));
  }
  return out;
}

}  // namespace

void detail::transform(data::Batch& batch, const Transforms& transforms, std::span<const int64_t> indices,
                       int64_t epoch) {
  std::vector<Generator> random;
  for (int64_t index : indices) random.push_back(generator_of(Use::transform, transforms.seed, epoch, index));
  batch.x = transformed(batch.x, transforms.x, random);
  batch.y = transformed(batch.y, transforms.y, random);
}

}  // namespace tapegrad::datasets
