// Reductions, and what runs along one axis.
#include <cmath>

#include "ops/samples.h"

namespace tapegrad {

namespace {

using Function = std::function<Tensor(const Tensor&)>;
using Reduce = std::function<Tensor(const Tensor&, const Axes&, bool keepdim)>;

Sample one(const std::string& label, const Tensor& x, Function f) {
  return {
      .label = label, .f = [f](const Inputs& in) { return f(in[0]); }, .inputs = {x}, .zero_gradient = x.numel() == 0};
}

// All axes, each kind of neighbours, a strided view, one tensor used twice, size one, and nothing.
Samples reduction(Reduce f) {
  Samples samples{
      one("all", normal({3, 4}), [=](const Tensor& x) { return f(x, {}, false); }),
      one("transposed", normal({4, 3}), [=](const Tensor& x) { return f(x.transpose(0, 1), 1, true); }),
      one("of every second", normal({3, 8}), [=](const Tensor& x) { return f(slice(x, 1, 1, to_end, 2), 0, false); }),
      one("used twice", normal({3, 4}), [=](const Tensor& x) { return f(x, 0, false) * f(x, 1, true); }),
      one("results without elements", zeros({0, 3}, {.dtype = float64}),
          [=](const Tensor& x) { return f(x, 1, false); })};
  for (const Axes& axes : {Axes(0), Axes(1), Axes(-1), Axes({0, 2}), Axes({2, 1})})
    samples.push_back(
        one("over " + to_string(axes.list()), normal({2, 3, 4}), [=](const Tensor& x) { return f(x, axes, false); }));
  return samples;
}

// Each axis, a strided view, one tensor used twice, and nothing.
Samples along_axis(std::function<Tensor(const Tensor&, int64_t axis)> f) {
  Samples samples{
      one("vector", normal({5}), [=](const Tensor& x) { return f(x, 0); }),
      one("transposed", normal({4, 3}), [=](const Tensor& x) { return f(x.transpose(0, 1), -1); }),
      one("used twice", normal({3, 4}), [=](const Tensor& x) { return outer(f(x, 0).flatten(), f(x, 1).flatten()); }),
      one("nothing", zeros({0, 3}, {.dtype = float64}), [=](const Tensor& x) { return f(x, 1); })};
  for (int64_t axis : {0, 1, 2})
    samples.push_back(
        one("axis " + std::to_string(axis), normal({2, 3, 4}), [=](const Tensor& x) { return f(x, axis); }));
  return samples;
}

}  // namespace

Samples prod_samples() {
  Samples samples =
      reduction([](const Tensor& x, const Axes& axes, bool keepdim) { return prod(x, axes, {.keepdim = keepdim}); });
  const Tensor zeros_in_rows = tensor({{0.5, 0, 2, -1}, {0, 1.5, 0, 2}, {0.7, -2, 1, 0.3}}, {.dtype = float64});
  samples.push_back(one("zeros", zeros_in_rows, [](const Tensor& x) { return prod(x, 1); }));
  return samples;
}

Samples var_samples() {
  Samples samples =
      reduction([](const Tensor& x, const Axes& axes, bool keepdim) { return var(x, axes, {.keepdim = keepdim}); });
  samples.push_back(one("biased", normal({3, 4}), [](const Tensor& x) { return var(x, 1, {.correction = 0}); }));
  return samples;
}

Samples std_samples() {
  Samples samples = reduction(
      [](const Tensor& x, const Axes& axes, bool keepdim) { return tapegrad::std(x, axes, {.keepdim = keepdim}); });
  samples.push_back(
      one("biased", normal({3, 4}), [](const Tensor& x) { return tapegrad::std(x, 1, {.correction = 0}); }));
  return samples;
}

Samples norm_samples() {
  Samples samples =
      reduction([](const Tensor& x, const Axes& axes, bool keepdim) { return norm(x, axes, {.keepdim = keepdim}); });
  for (double p : {1.0, double(INFINITY)})
    samples.push_back(
        one("p = " + std::to_string(p), normal({3, 4}), [p](const Tensor& x) { return norm(x, 1, {.p = p}); }));
  return samples;
}

Samples amax_samples() {
  return reduction([](const Tensor& x, const Axes& axes, bool keepdim) { return amax(x, axes, {.keepdim = keepdim}); });
}
Samples amin_samples() {
  return reduction([](const Tensor& x, const Axes& axes, bool keepdim) { return amin(x, axes, {.keepdim = keepdim}); });
}
Samples max_samples() {
  Samples samples = along_axis([](const Tensor& x, int64_t axis) { return max(x, axis).values; });
  samples.push_back(one("all", normal({3, 4}), [](const Tensor& x) { return max(x); }));
  return samples;
}
Samples min_samples() {
  Samples samples = along_axis([](const Tensor& x, int64_t axis) { return min(x, axis, {.keepdim = true}).values; });
  samples.push_back(one("all", normal({3, 4}), [](const Tensor& x) { return min(x); }));
  return samples;
}

Samples logsumexp_samples() {
  return reduction(
      [](const Tensor& x, const Axes& axes, bool keepdim) { return logsumexp(x, axes, {.keepdim = keepdim}); });
}
Samples softmax_samples() {
  return along_axis([](const Tensor& x, int64_t axis) { return softmax(x, axis); });
}
Samples log_softmax_samples() {
  return along_axis([](const Tensor& x, int64_t axis) { return log_softmax(x, axis); });
}
Samples cumsum_samples() {
  return along_axis([](const Tensor& x, int64_t axis) { return cumsum(x, axis); });
}
Samples cumprod_samples() {
  Samples samples = along_axis([](const Tensor& x, int64_t axis) { return cumprod(x, axis); });
  const Tensor zeros_in_rows = tensor({{0.5, 0, 2, -1}, {0, 1.5, 0, 2}, {0.7, -2, 1, 0.3}}, {.dtype = float64});
  samples.push_back(one("zeros", zeros_in_rows, [](const Tensor& x) { return cumprod(x, 1); }));
  return samples;
}
Samples sort_samples() {
  Samples samples = along_axis([](const Tensor& x, int64_t axis) { return sort(x, axis).values; });
  samples.push_back(
      one("descending", normal({3, 4}), [](const Tensor& x) { return sort(x, 0, {.descending = true}).values; }));
  return samples;
}
Samples topk_samples() {
  Samples samples = along_axis([](const Tensor& x, int64_t axis) { return topk(x, 2, axis).values; });
  samples.push_back(
      one("smallest", normal({3, 4}), [](const Tensor& x) { return topk(x, 2, 1, {.largest = false}).values; }));
  return samples;
}

Samples flip_samples() {
  Samples samples = along_axis([](const Tensor& x, int64_t axis) { return flip(x, {axis}) * x; });
  samples.push_back(one("all axes", normal({3, 4}), [](const Tensor& x) { return flip(x, {0, 1}); }));
  return samples;
}

}  // namespace tapegrad
