#include <algorithm>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "kernels/dropout.h"

namespace tapegrad::compute {

namespace {

using kernels::dropout_block;

// Elements [begin, end), where begin is a multiple of the block.
template <class T>
void apply(const DropoutMask& mask, int64_t begin, int64_t end, const T* x, T* y) {
  kernels::simd([=] {
    const T scale = T(mask.scale);
    uint32_t words[dropout_block];
    for (int64_t from = begin; from < end; from += dropout_block) {
      kernels::dropout_words(mask, from, words);
      const int64_t n = std::min(dropout_block, end - from);
      TAPEGRAD_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) y[from + i] = x[from + i] * (words[i] < mask.keep ? scale : T(0));
    }
  });
}

}  // namespace

uint64_t dropout_counters(int64_t n) {
  return uint64_t((n + dropout_block - 1) / dropout_block * kernels::dropout_lanes);
}

Tensor dropout(const Tensor& x, const DropoutMask& mask) {
  const Tensor from = detail::plain(x);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float("dropout", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    static_assert(kElementwiseGrain % dropout_block == 0);
    parallel_rows(x.numel(), kElementwiseGrain, [=](int64_t begin, int64_t end) { apply(mask, begin, end, in, out); });
  });
  return y;
}

}  // namespace tapegrad::compute
