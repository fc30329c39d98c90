#include <tapegrad/data/dataset.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/fail.h"
#include "data/order.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::data {

namespace {

// Rows of x, copied one after the other; the indices were checked.
Tensor rows(const Tensor& x, std::span<const int64_t> indices) {
  Shape shape = x.shape();
  shape[0] = int64_t(indices.size());
  const Tensor y = detail::new_tensor(shape, x.dtype());
  if (y.numel() == 0) return y;
  const size_t bytes = size_t(x.numel() / x.size(0)) * item_size(x.dtype());
  const std::byte* from = x.impl()->data;
  std::byte* to = y.impl()->data;
  const int64_t grain = std::max<int64_t>(1, (1 << 17) / int64_t(bytes));
  parallel_rows(shape[0], grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::memcpy(to + size_t(i) * bytes, from + size_t(indices[size_t(i)]) * bytes, bytes);
  });
  return y;
}

}  // namespace

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
  return {rows(x_, indices), rows(y_, indices)};
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
