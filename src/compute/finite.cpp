#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "kernels/loops/reduce.h"

namespace tapegrad::compute {

namespace {

constexpr int64_t kChunk = 1 << 16;  // elements that one thread looks at

// A float is NaN or infinite when all bits of its exponent are ones. Adding one to the exponent then carries
// into the place of the sign, which was masked out, so a plain OR over all elements answers for them
// together: integer operations that every instruction set has vectors of.
template <class T>
bool is_finite_span(const T* x, int64_t begin, int64_t end) {
  using Word = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr Word exponent = std::bit_cast<Word>(std::numeric_limits<T>::infinity());
  constexpr Word one = exponent & (~exponent + 1), carry = Word(1) << (8 * sizeof(T) - 1);
  Word seen = 0;
  kernels::simd([x, begin, end, out = &seen] {
    Word any = 0;
    for (int64_t i = begin; i < end; ++i) any |= (std::bit_cast<Word>(x[i]) & exponent) + one;
    *out = any;
  });
  return !(seen & carry);
}

}  // namespace

bool all_finite(const Tensor& x) {
  if (!is_floating(x.dtype())) return true;
  const Tensor from = detail::plain(x);
  return detail::dispatch_float("all_finite", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    std::atomic<bool> finite = true;
    parallel_rows(x.numel(), kChunk, [in, &finite](int64_t begin, int64_t end) {
      if (!is_finite_span(in, begin, end)) finite.store(false, std::memory_order_relaxed);
    });
    return finite.load();
  });
}

int64_t nan_count(const Tensor& x) {
  if (!is_floating(x.dtype())) return 0;
  const Tensor from = detail::plain(x);
  return detail::dispatch_float("nan_count", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    return int64_t(std::count_if(in, in + x.numel(), [](T value) { return std::isnan(value); }));
  });
}

std::string range_text(const Tensor& x) {
  if (!is_floating(x.dtype())) return "no numbers";
  const Tensor from = detail::plain(x);
  return detail::dispatch_float("range", x.dtype(), [&]<class T>(T) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const double value = double(detail::ptr<T>(from)[i]);
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    return low > high ? std::string("no finite value") : fmt::format("[{:.6g}, {:.6g}]", low, high);
  });
}

double sum_of_squares(const Tensor& x) {
  const Tensor from = detail::plain(x);
  return detail::dispatch_float("sum_of_squares", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    const int64_t chunks = (x.numel() + kChunk - 1) / kChunk;
    const Tensor partial = detail::new_tensor({chunks}, float64);
    double* sums = detail::mutable_ptr<double>(partial);
    parallel_rows(x.numel(), kChunk, [in, sums](int64_t begin, int64_t end) {
      sums[begin / kChunk] = kernels::sum_of_squares(end - begin, in + begin);
    });
    double total = 0;
    for (int64_t i = 0; i < chunks; ++i) total += sums[i];
    return total;
  });
}

}  // namespace tapegrad::compute
