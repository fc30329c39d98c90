// A tensor cut into views along one axis, as one record with many outputs.
//   split    dx = the dys concatenated      unbind    dx = the dys stacked
// with zeros for a piece that the loss does not depend on. So the gradient is written once, whatever the
// number of pieces, where slicing them one by one would add up as many gradients of x's size.
#include <algorithm>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

constexpr int64_t kMostPieces = 65535;  // outputs of a record are counted in 16 bits

void check_count(const char* op, int64_t pieces) {
  if (pieces > kMostPieces) fail<ShapeError>(op, "at most {} pieces, got {}", kMostPieces, pieces);
}

// Zeros of `shape` in place of undefined ones.
Gradients complete(const Gradients& dy, const Shape& shape, Dtype dtype) {
  Gradients out;
  out.reserve(dy.size());
  for (const Tensor& piece : dy) out.push_back(piece.defined() ? piece : zeros(shape, {.dtype = dtype}));
  return out;
}

// Pieces of `size` entries of an axis counted from the front, the last one shorter.
Tensors even_pieces(const char* op, const Tensor& x, int64_t size, int64_t axis) {
  const int64_t total = x.shape()[axis];
  const int64_t pieces = std::max<int64_t>((total + size - 1) / size, 1);
  check_count(op, pieces);
  Gradients out;
  out.reserve(size_t(pieces));
  Shape shape = x.shape();
  for (int64_t i = 0; i < pieces; ++i) {
    shape[axis] = std::min(size, total - i * size);
    out.push_back(detail::new_view(x, shape, x.strides(), i * size * x.strides()[axis]));
  }
  return record(op, out, {x},
                [shape = x.shape(), dtype = x.dtype(), size, axis](const Gradients& dy) -> Gradients {
                  Gradients pieces;
                  pieces.reserve(dy.size());
                  Shape part = shape;
                  for (size_t i = 0; i < dy.size(); ++i) {
                    part[axis] = std::min(size, shape[axis] - int64_t(i) * size);
                    pieces.push_back(dy[i].defined() ? dy[i] : zeros(part, {.dtype = dtype}));
                  }
                  return {concat(pieces, axis)};
                });
}

}  // namespace

Tensors split(const Tensor& x, int64_t size, int64_t axis) {
  const int64_t at = wrap_axis("split", axis, x.dim());
  if (size < 1) fail<ValueError>("split", "the size of a piece must be at least 1, got {}", size);
  return even_pieces("split", x, size, at);
}

Tensors split(const Tensor& x, const Shape& sizes, int64_t axis) {
  const int64_t at = wrap_axis("split", axis, x.dim());
  int64_t total = 0;
  for (int64_t size : sizes) total += size < 0 ? to_end / 16 : size;
  if (total != x.shape()[at])
    fail<ShapeError>("split", "sizes {} must add up to axis {} of {}", sizes, axis, x.shape());
  Gradients out;
  Shape shape = x.shape();
  int64_t start = 0;
  for (int64_t size : sizes) {
    shape[at] = size;
    out.push_back(detail::new_view(x, shape, x.strides(), size > 0 ? start * x.strides()[at] : 0));
    start += size;
  }
  return record("split", out, {x},
                [shape = x.shape(), dtype = x.dtype(), sizes, at](const Gradients& dy) -> Gradients {
                  Gradients pieces;
                  Shape part = shape;
                  for (size_t i = 0; i < dy.size(); ++i) {
                    part[at] = sizes[int64_t(i)];
                    pieces.push_back(dy[i].defined() ? dy[i] : zeros(part, {.dtype = dtype}));
                  }
                  return {concat(pieces, at)};
                });
}

Tensors chunk(const Tensor& x, int64_t chunks, int64_t axis) {
  const int64_t at = wrap_axis("chunk", axis, x.dim());
  if (chunks < 1) fail<ValueError>("chunk", "at least one chunk is needed, got {}", chunks);
  return even_pieces("split", x, std::max<int64_t>((x.shape()[at] + chunks - 1) / chunks, 1), at);
}

Tensors unbind(const Tensor& x, int64_t axis) {
  const int64_t at = wrap_axis("unbind", axis, x.dim());
  const int64_t pieces = x.shape()[at], step = x.strides()[at];
  check_count("unbind", pieces);
  if (pieces == 0) return {};
  Shape shape = x.shape(), strides = x.strides();
  shape.erase(at);
  strides.erase(at);
  Gradients out;
  out.reserve(size_t(pieces));
  for (int64_t i = 0; i < pieces; ++i) out.push_back(detail::new_view(x, shape, strides, i * step));
  return record("unbind", out, {x}, [shape, dtype = x.dtype(), at](const Gradients& dy) -> Gradients {
    return {stack(complete(dy, shape, dtype), at)};
  });
}

}  // namespace tapegrad
