// More entries at both ends of an axis: blocks of a constant put beside it, or a copy by a list of indices. Made of
// operations.
#include "ops/conv/conv.h"

namespace tapegrad {

namespace {

// `before` and `after` are not negative.
Tensor padded(const Tensor& x, int64_t axis, int64_t before, int64_t after, const PadOptions& o) {
  const int64_t n = x.size(axis), last = n - 1;
  if (o.mode == PadMode::constant) {
    Shape front = x.shape(), back = x.shape();
    front[axis] = before;
    back[axis] = after;
    const TensorOptions like{.dtype = x.dtype()};
    return concat({full(front, o.value, like), x, full(back, o.value, like)}, axis);
  }
  const int64_t most = o.mode == PadMode::reflect ? last : n > 0 ? std::max(before, after) : 0;
  if (before > most || after > most)
    fail<ShapeError>("pad", "{} needs at most {} entries at each end of axis {} of {}, got {} and {}",
                     o.mode == PadMode::reflect ? "reflect" : "replicate", most, axis, x.shape(), before, after);
  const Tensor index = compute::generate({before + n + after}, int64, [&](int64_t i) {
    i -= before;
    if (o.mode == PadMode::replicate) return double(std::clamp<int64_t>(i, 0, last));
    return double(i < 0 ? -i : i > last ? 2 * last - i : i);
  });
  return index_select(x, axis, index);
}

}  // namespace

Tensor pad(const Tensor& input, const Shape& pad, PadOptions options) {
  if (pad.size() % 2 != 0 || pad.size() / 2 > input.dim())
    fail<ShapeError>(
        "pad", "pad must be {{left, right, top, bottom, ...}}, two numbers for each of the last axes of {}, got {}",
        input.shape(), pad);
  Tensor x = input;
  for (int64_t i = 0; i < pad.size(); i += 2) {
    const int64_t axis = x.dim() - 1 - i / 2, before = pad[i], after = pad[i + 1], size = x.size(axis);
    if (size + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0) < 0)
      fail<ShapeError>("pad", "{} and {} cut off more than axis {} of {} has", before, after, axis, input.shape());
    if (before < 0 || after < 0) x = slice(x, axis, std::max<int64_t>(-before, 0), size + std::min<int64_t>(after, 0));
    if (before > 0 || after > 0)
      x = padded(x, axis, std::max<int64_t>(before, 0), std::max<int64_t>(after, 0), options);
  }
  return x;
}

}  // namespace tapegrad
