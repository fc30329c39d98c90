// The rules on sizes that the whole library shares: how many, how they multiply, how they broadcast.
#include <tapegrad/shape.h>

#include <algorithm>

#include "core/fail.h"

namespace tapegrad {

Shape::Shape(std::span<const int64_t> sizes) {
  if (sizes.size() > size_t(max_dims)) fail<ShapeError>("shape", "at most {} sizes, got {}", max_dims, sizes.size());
  rank_ = int64_t(sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_);
}

void Shape::insert(int64_t at, int64_t size) {
  if (rank_ == max_dims) fail<ShapeError>("shape", "at most {} sizes, {} has them already", max_dims, *this);
  std::copy_backward(sizes_ + at, sizes_ + rank_, sizes_ + rank_ + 1);
  sizes_[at] = size;
  ++rank_;
}

void Shape::erase(int64_t at) {
  std::copy(sizes_ + at + 1, sizes_ + rank_, sizes_ + at);
  sizes_[--rank_] = 0;
}

int64_t Shape::numel() const {
  int64_t product = 1;
  bool overflow = false, zero = false;
  for (int64_t size : *this) {
    if (size < 0) fail<ShapeError>("shape", "sizes must not be negative, got {}", *this);
    zero |= size == 0;
    overflow |= __builtin_mul_overflow(product, size == 0 ? 1 : size, &product);
  }
  if (overflow) fail<ShapeError>("shape", "the number of elements of {} does not fit 64 bits", *this);
  return zero ? 0 : product;
}

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (int64_t i = 0; i < shape.size(); ++i) {
    if (i) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  Shape out = a.size() >= b.size() ? a : b;
  const Shape& other = a.size() >= b.size() ? b : a;
  for (int64_t i = 1; i <= other.size(); ++i) {
    int64_t& size = out[out.size() - i];
    const int64_t theirs = other[other.size() - i];
    if (size == theirs || theirs == 1) continue;
    if (size != 1)
      fail<ShapeError>(op, "shapes must broadcast (equal or 1, from the last axis), got {} and {}: {} against {}", a, b,
                       a[a.size() - i], b[b.size() - i]);
    size = theirs;
  }
  return out;
}

int64_t wrap_axis(const char* op, int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    fail<IndexError>(op, "axis must be in [{}, {}] for {} axes, got {}", -rank, rank - 1, rank, axis);
  return axis < 0 ? axis + rank : axis;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  int64_t step = 1;
  for (int64_t i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

Shape detail::index_of(int64_t at, const Shape& shape) {
  Shape index = shape;
  for (int64_t i = shape.size() - 1; i >= 0; --i) {
    index[i] = at % shape[i];
    at /= shape[i];
  }
  return index;
}

}  // namespace tapegrad
