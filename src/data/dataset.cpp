#include <tapegrad/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "compute/arrays.h"
#include "core/fail.h"
#include "data/order.h"

namespace tapegrad::data {

TensorDataset::TensorDataset(const Tensor& x, const Tensor& y) : tensors_{x, y} { detail::check_samples(tensors_); }

Batch TensorDataset::get(std::span<const int64_t> indices) const {
  return {detail::samples_of(x(), indices), detail::samples_of(y(), indices)};
}

Split TensorDataset::split(double fraction, SplitOptions options) const {
  const auto [first, second] = detail::split_order(size(), fraction, options);
  const Batch train = get(first), test = get(second);
  return {TensorDataset(train.x, train.y), TensorDataset(test.x, test.y)};
}

void detail::check_samples(std::span<Tensor> tensors) {
  std::string shapes;
  bool fit = true;
  for (const Tensor& tensor : tensors) {
    shapes += (shapes.empty() ? "" : ", ") + to_string(tensor.shape());
    fit = fit && tensor.dim() > 0 && tensors[0].dim() > 0 && tensor.size(0) == tensors[0].size(0);
  }
  if (!fit) fail<ShapeError>("dataset", "the tensors must have a first axis of the same size, got {}", shapes);
  for (Tensor& tensor : tensors) tensor = tensor.detach().contiguous();
}

Tensor detail::samples_of(const Tensor& tensor, std::span<const int64_t> indices) {
  for (int64_t index : indices)
    if (index < 0 || index >= tensor.size(0))
      fail<IndexError>("dataset", "sample {} is outside [0, {})", index, tensor.size(0));
  Tensor order = empty({int64_t(indices.size())}, {.dtype = int64});
  std::ranges::copy(indices, order.mutable_data<int64_t>().begin());
  return compute::index_select(tensor, 0, order);
}

std::array<std::vector<int64_t>, 2> detail::split_order(int64_t size, double fraction, const SplitOptions& options) {
  if (!(fraction >= 0 && fraction <= 1)) fail<ValueError>("split", "fraction must be in [0, 1], got {}", fraction);
  std::vector<int64_t> order;
  sample_order(order, size, options.shuffle, options.seed, 0);
  const auto middle = order.begin() + std::llround(fraction * double(size));
  return {std::vector(order.begin(), middle), std::vector(middle, order.end())};
}

}  // namespace tapegrad::data
