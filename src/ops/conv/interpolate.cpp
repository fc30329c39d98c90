// An image in another size, along one axis after the other. Pixel i of n lies at
//   s = max((i + 1/2) H / n - 1/2, 0),  or  i (H - 1) / (n - 1) for align_corners
// of the H that there are, and with l = floor(s) and f = s - l it is (1 - f) x[l] + f x[l + 1]; nearest takes
// x[floor(i H / n)]. Made of operations: what was taken gets its share of dy. Where a scale factor is given, it and not the
// quotient of the sizes is H / n, as in PyTorch.
#include "ops/conv/conv.h"

namespace tapegrad {

namespace {

Tensor resized(const Tensor& x, int64_t axis, int64_t n, double ratio, const InterpolateOptions& o) {
  const int64_t last = x.size(axis) - 1;
  const auto indices = [&](const auto& f) { return compute::generate({n}, int64, f); };
  const auto place = [&](int64_t i) {
    if (o.mode == Interpolation::nearest) return double(i) * ratio;
    if (o.align_corners) return n > 1 ? double(i) * double(last) / double(n - 1) : 0.0;
    return std::max((double(i) + 0.5) * ratio - 0.5, 0.0);
  };
  const auto low = [&](int64_t i) { return std::min(int64_t(place(i)), last); };
  const Tensor first = index_select(x, axis, indices([&](int64_t i) { return double(low(i)); }));
  if (o.mode == Interpolation::nearest) return first;
  const Tensor second = indices([&](int64_t i) { return double(std::min(low(i) + 1, last)); });
  Shape shape;
  for (int64_t d = axis; d < x.dim(); ++d) shape.push_back(d == axis ? n : 1);
  const Tensor share =
      compute::generate(shape, x.dtype(), [&](int64_t i) { return std::min(place(i) - double(low(i)), 1.0); });
  return first * (1 - share) + index_select(x, axis, second) * share;
}

}  // namespace

Tensor interpolate(const Tensor& input, InterpolateOptions o) {
  const char* const op = "interpolate";
  check_images(op, input);
  const bool has_size = o.size != Size2(0), has_factor = o.scale_factor != 0;
  if (has_size == has_factor)
    fail<ValueError>(op, "takes either size or scale_factor, got {}", has_size ? "both" : "none");
  if (has_factor && !(o.scale_factor > 0 && o.scale_factor < 1e6))
    fail<ValueError>(op, "scale_factor must be positive and below 1e6, got {}", o.scale_factor);
  if (o.align_corners && o.mode == Interpolation::nearest)
    fail<ValueError>(op, "align_corners goes with bilinear, got nearest");
  Tensor y = input;
  for (int64_t axis : {2, 3}) {
    const int64_t from = input.size(axis);
    const int64_t to = has_factor  ? int64_t(std::floor(double(from) * o.scale_factor))
                       : axis == 2 ? o.size.h
                                   : o.size.w;
    if (from < 1 || to < 1)
      fail<ShapeError>(op, "input and result must have pixels, got input {} and {} along axis {}", input.shape(), to,
                       axis);
    y = resized(y, axis, to, has_factor ? 1 / o.scale_factor : double(from) / double(to), o);
  }
  return y;
}

}  // namespace tapegrad
