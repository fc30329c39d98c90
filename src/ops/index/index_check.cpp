#include "ops/index/index_check.h"

#include "ops/elementwise.h"

namespace tapegrad {

void check_indices(const char* op, const Tensor& index, int64_t size) {
  if (index.dtype() != int64)
    fail<DtypeError>(op, "indices must be int64, got {}. Hint: convert with x.to(int64)", index.dtype());
  const Tensor from = index.contiguous();
  const int64_t* at = detail::ptr<int64_t>(from);
  bool outside = false;
  for (int64_t i = 0; i < from.numel(); ++i) outside |= at[i] < 0 || at[i] >= size;
  if (!outside) return;
  int64_t first = 0;
  while (at[first] >= 0 && at[first] < size) ++first;
  Shape position = from.shape();
  int64_t rest = first;
  for (int64_t axis = position.size() - 1; axis >= 0; --axis) {
    position[axis] = rest % from.shape()[axis];
    rest /= from.shape()[axis];
  }
  fail<IndexError>(op, "the index at {} must be in [0, {}), got {}", position, size, at[first]);
}

}  // namespace tapegrad
