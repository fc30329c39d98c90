// y = sum((x - mu)^2) / (n - correction), mu the mean over the same axes.
//   dx = dy 2 (x - mu) / (n - correction)
// because dmu/dx drops out: the sum of x - mu is zero. x is saved, and mu is computed again.
//
// Two passes, mean and differences in float64: one pass with sum(x^2) - n mu^2 loses every digit of
// [40000, 40001, 40002, 40003] in float32.
//
// std is sqrt(y):   dx = dy (x - mu) / ((n - correction) std), and 0 where std is 0, as in PyTorch.
#include <algorithm>
#include <cmath>

#include "kernels/vector/lanes.h"
#include "ops/elementwise.h"
#include "ops/reduce/reduction.h"

namespace tapegrad {

namespace {

// 0 / 0 where nothing is left to divide by, as NumPy and PyTorch have it.
double divisor(const Reduction& over, const VarOptions& options) {
  return double(std::max<int64_t>(over.n - options.correction, 0));
}

// Rows of n, both passes over one while it is in the cache.
template <class T, class Finish>
void variance_of_rows(int64_t rows, int64_t n, const T* x, Finish finish) {
  parallel_rows(
      rows, std::max<int64_t>(1, kernels::fold_grain / std::max<int64_t>(n, 1)),
      [=](int64_t begin, int64_t end) {
        kernels::simd([=] {
          for (int64_t at = begin; at < end; ++at) {
            const T* row = x + at * n;
            const double mu = kernels::sum_of(n, [=](int64_t i) { return double(row[i]); }) / double(n);
            finish(at, kernels::sum_of(
                           n, [=](int64_t i) { return (double(row[i]) - mu) * (double(row[i]) - mu); }));
          }
        });
      });
}

Tensor variance(const char* op, const Tensor& x, const Reduction& over, const VarOptions& options,
                bool root) {
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(options.keepdim), x.dtype());
  const double n = double(over.n), count = divisor(over, options);
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    T* out = detail::mutable_ptr<T>(y);
    const auto finish = [=](int64_t at, double total) {
      out[at] = T(root ? std::sqrt(total / count) : total / count);
    };
    if (over.inner == 1) return variance_of_rows(over.outer, over.n, detail::ptr<T>(from), finish);
    const Tensor mean = detail::new_tensor(y.shape(), float64);
    double* mu = detail::mutable_ptr<double>(mean);
    fold<double, T>(
        over, from, [](int64_t) { return 0.0; },
        [](double& total, T value, int64_t) { total += double(value); },
        [=](int64_t at, double total) { mu[at] = total / n; });
    struct Squares {
      double mu, total;
    };
    fold<Squares, T>(
        over, from,
        [=](int64_t at) {
          return Squares{mu[at], 0.0};
        },
        [](Squares& s, T value, int64_t) { s.total += (double(value) - s.mu) * (double(value) - s.mu); },
        [=](int64_t at, const Squares& s) { finish(at, s.total); });
  });
  return y;
}

Tensor centered(const Tensor& x, const Reduction& over) {
  return x - sum(x, over.axes(), {.keepdim = true}) * (1.0 / double(over.n));
}

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, VarOptions options) {
  const Reduction over("var", x.shape(), axes);
  return record("var", variance("var", x, over, options, false), {x},
                [over, options, x = Saved(x)](const Tensor& dy) -> Gradients {
                  return {centered(x, over) * (dy.reshape(over.kept_shape()) * (2 / divisor(over, options)))};
                });
}

Tensor std(const Tensor& x, const Axes& axes, VarOptions options) {
  const Reduction over("std", x.shape(), axes);
  const Tensor y = variance("std", x, over, options, true);
  return record("std", y, {x}, [over, options, x = Saved(x), y = Saved(y)](const Tensor& dy) -> Gradients {
    const Tensor weight = divide_or_zero(dy, y) * (1 / divisor(over, options));
    return {centered(x, over) * weight.reshape(over.kept_shape())};
  });
}

}  // namespace tapegrad
