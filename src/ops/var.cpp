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

#include "ops/elementwise.h"
#include "ops/reduction.h"

namespace tapegrad {

namespace {

// 0 / 0 where nothing is left to divide by, as NumPy and PyTorch have it.
double divisor(const Reduction& over, const VarOptions& options) {
  return double(std::max<int64_t>(over.n - options.correction, 0));
}

Tensor variance(const char* op, const Tensor& x, const Reduction& over, const VarOptions& options,
                bool root) {
  const Tensor from = over.arrange(x);
  Tensor y = detail::new_tensor(over.result_shape(options.keepdim), x.dtype());
  const Tensor mean = detail::new_tensor(y.shape(), float64);
  const double n = double(over.n), count = divisor(over, options);
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    double* mu = detail::mutable_ptr<double>(mean);
    T* out = detail::mutable_ptr<T>(y);
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
        [=](int64_t at, const Squares& s) {
          out[at] = T(root ? std::sqrt(s.total / count) : s.total / count);
        });
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
