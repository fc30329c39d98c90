#include "optim/update.h"

#include <atomic>
#include <bit>

#include "kernels/vector/lanes.h"

namespace tapegrad::optim {

namespace {

// A float is NaN or infinite when all bits of its exponent are ones. Adding one to the exponent then carries
// into the place of the sign, which was masked out, so a plain OR over all elements answers for them
// together: integer operations that every instruction set has vectors of.
template <class T>
struct Bits;
template <>
struct Bits<float> {
  using Word = uint32_t;
  static constexpr Word exponent = 0x7f800000, one = 0x00800000, carry = 0x80000000;
};
template <>
struct Bits<double> {
  using Word = uint64_t;
  static constexpr Word exponent = 0x7ff0000000000000, one = 0x0010000000000000, carry = 0x8000000000000000;
};

}  // namespace

bool all_finite(const Tensor& gradient) {
  return detail::dispatch_float("step", gradient.dtype(), [&]<class T>(T) {
    using B = Bits<T>;
    const T* g = detail::ptr<T>(gradient);
    std::atomic<bool> finite = true;
    parallel_rows(gradient.numel(), 4 * chunk, [g, &finite](int64_t begin, int64_t end) {
      typename B::Word seen = 0;
      kernels::simd([g, begin, end, out = &seen] {
        typename B::Word any = 0;
        for (int64_t i = begin; i < end; ++i)
          any |= (std::bit_cast<typename B::Word>(g[i]) & B::exponent) + B::one;
        *out = any;
      });
      if (seen & B::carry) finite.store(false, std::memory_order_relaxed);
    });
    return finite.load();
  });
}

double sum_of_squares(const Tensor& gradient) {
  return detail::dispatch_float("clip_grad_norm", gradient.dtype(), [&]<class T>(T) {
    const T* g = detail::ptr<T>(gradient);
    const int64_t n = gradient.numel(), chunks = (n + 4 * chunk - 1) / (4 * chunk);
    const Tensor partial = detail::new_tensor({chunks}, float64);
    double* sums = detail::mutable_ptr<double>(partial);
    parallel_rows(n, 4 * chunk, [g, sums](int64_t begin, int64_t end) {
      double* out = sums + begin / (4 * chunk);
      kernels::simd([g, begin, end, out] {
        *out =
            kernels::sum_of(end - begin, [x = g + begin](int64_t i) { return double(x[i]) * double(x[i]); });
      });
    });
    double total = 0;
    for (int64_t i = 0; i < chunks; ++i) total += sums[i];
    return total;
  });
}

}  // namespace tapegrad::optim
