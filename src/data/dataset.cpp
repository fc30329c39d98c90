#include <tapegrad/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "compute/arrays.h"
#include "core/fail.h"
#include "data/order.h"

namespace tapegrad::data {

TensorDataset::TensorDataset(const Tensor& x, const Tensor& y) {
  if (x.dim() == 0 || y.dim() == 0 || x.size(0) != y.size(0))
    fail<ShapeError>("TensorDataset", "x and y must have a first axis of the same size, got {} and {}",
                     x.shape(), y.shape());
  x_ = x.detach().contiguous();
  y_ = y.detach().contiguous();
}

Batch TensorDataset::get(std::span<const int64_t> indices) const {
  for (int64_t index : indices)
    if (index < 0 || index >= size())
      fail<IndexError>("TensorDataset", "sample {} is outside [0, {})", index, size());
  Tensor order = empty({int64_t(indices.size())}, {.dtype = int64});
  std::copy(indices.begin(), indices.end(), order.mutable_data<int64_t>().begin());
  return {compute::index_select(x_, 0, order), compute::index_select(y_, 0, order)};
}

Split TensorDataset::split(double fraction, SplitOptions options) const {
  if (!(fraction >= 0 && fraction <= 1))
    fail<ValueError>("split", "fraction must be in [0, 1], got {}", fraction);
  std::vector<int64_t> order;
  sample_order(order, size(), options.shuffle, options.seed, 0);
  const size_t first = size_t(std::llround(fraction * double(size())));
  const std::span<const int64_t> all(order);
  const Batch train = get(all.first(first)), test = get(all.subspan(first));
  return {TensorDataset(train.x, train.y), TensorDataset(test.x, test.y)};
}

}  // namespace tapegrad::data
