// How many elements are a number, or lie in an interval: ones, or weights, added up at the number of their bin by index_add(). Ones
// are added in float64, which counts to 2^53.
//
// one_hot: y[..., c] = 1 where c is the index, else 0. Piecewise constant: no gradient.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

Tensor bincount(const Tensor& x, const BincountOptions& options) {
  const auto& [weights, minlength] = options;
  if (x.dim() != 1) fail<ShapeError>("bincount", "takes a vector, got {}", x.shape());
  if (minlength < 0) fail<ValueError>("bincount", "minlength must not be negative, got {}", minlength);
  if (weights.defined() && weights.shape() != x.shape())
    fail<ShapeError>("bincount", "weights must be {} as x, got {}", x.shape(), weights.shape());
  compute::check_indices("bincount", x, std::numeric_limits<int64_t>::max());
  const int64_t bins = std::max(minlength, x.numel() > 0 ? max(x).item<int64_t>() + 1 : 0);
  const Tensor counts = index_add(zeros({bins}, {.dtype = weights.defined() ? weights.dtype() : float64}), 0,
                                  x, weights.defined() ? weights : ones(x.shape(), {.dtype = float64}));
  return weights.defined() ? counts : counts.to(int64);
}

Tensor histc(const Tensor& x, int64_t bins, double low, double high) {
  check_floating("histc", x);
  if (bins < 1) fail<ValueError>("histc", "there must be at least one bin, got {}", bins);
  if (low == high && x.numel() > 0) {
    low = min(x).item();
    high = max(x).item();
  }
  if (!(low <= high) || !std::isfinite(high - low))
    fail<ValueError>("histc", "the range must be finite, and min not greater than max, got {} and {}", low,
                     high);
  if (low == high) {
    low -= 1;
    high += 1;
  }
  const Tensor all = x.detach().to(float64).flatten();
  const Tensor inside = logical_and(all >= low, all <= high);
  const Tensor bin =
      clamp(floor((where(inside, all, low) - low) / (high - low) * double(bins)), 0, double(bins - 1));
  return index_add(zeros({bins}, {.dtype = float64}), 0, bin.to(int64), inside.to(float64)).to(x.dtype());
}

Tensor one_hot(const Tensor& indices, int64_t num_classes, TensorOptions options) {
  if (num_classes < 1) fail<ValueError>("one_hot", "num_classes must be at least 1, got {}", num_classes);
  compute::check_indices("one_hot", indices, num_classes);
  Tensor y = compute::one_hot(indices, num_classes, options.dtype);
  y.set_requires_grad(options.requires_grad);
  return record_nondifferentiable("one_hot", y, {indices},
                                  {{"num_classes", num_classes}, {"dtype", to_string(y.dtype())}});
}

}  // namespace tapegrad
