#include <algorithm>
#include <cmath>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "kernels/loops/strided.h"

namespace tapegrad::compute {

Tensor permute(const Tensor& x, const Shape& axes) {
  Shape sizes = axes, strides = axes;
  for (int64_t i = 0; i < x.dim(); ++i) {
    sizes[i] = x.shape()[axes[i]];
    strides[i] = x.strides()[axes[i]];
  }
  return detail::new_view(x, sizes, strides, 0);
}

Tensor transpose(const Tensor& x, int64_t axis0, int64_t axis1) {
  Shape sizes = x.shape(), strides = x.strides();
  std::swap(sizes[axis0], sizes[axis1]);
  std::swap(strides[axis0], strides[axis1]);
  return detail::new_view(x, sizes, strides, 0);
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  return detail::new_view(x, shape, broadcast_strides(x, shape), 0);
}

Tensor convert(const Tensor& x, Dtype dtype) {
  const Tensor source = detail::plain(x);
  Tensor y = detail::new_tensor(x.shape(), dtype);
  detail::dispatch_all(x.dtype(), [&]<class From>(From) {
    const From* from = detail::ptr<From>(source);
    detail::dispatch_all(dtype, [&]<class To>(To) {
      std::transform(from, from + x.numel(), detail::mutable_ptr<To>(y), [](From value) {
        if constexpr (std::is_floating_point_v<From> && std::is_same_v<To, int64_t>)
          if (!(std::fabs(value) < From(0x1p63)))
            fail<ValueError>("to", "int64 holds numbers below 2^63 in magnitude, got {}", value);
        return To(value);
      });
    });
  });
  return y;
}

void copy_into(const Tensor& x, const Tensor& y) {
  const bool overlaps = x.impl()->storage.get() == y.impl()->storage.get();
  Tensor from = overlaps ? detail::contiguous_copy(x) : x;
  const bool strided = !y.is_contiguous();
  if (strided) from = detail::plain(broadcast_to(from, y.shape()));
  const Shape strides = strided ? y.strides() : broadcast_strides(from, y.shape());
  detail::dispatch_all(y.dtype(), [&]<class T>(T) {
    const auto copy = strided ? kernels::scatter_strided<T> : kernels::copy_strided<T>;
    copy(int(y.dim()), y.shape().begin(), strides.begin(), detail::ptr<T>(from), detail::mutable_ptr<T>(y));
  });
}

void put(const Tensor& x, int64_t axis, const Tensor& y, int64_t start, int64_t step) {
  if (x.numel() == 0) return;
  bool one_run = step == 1;  // of y's memory is written to
  for (int64_t i = 0; i < axis; ++i) one_run &= y.shape()[i] == 1;
  const Tensor from = one_run ? x : detail::plain(x);
  Shape strides = y.strides();
  const int64_t offset = start * strides[axis];
  strides[axis] *= step;
  detail::dispatch_all(y.dtype(), [&]<class T>(T) {
    const auto copy = one_run ? kernels::copy_strided<T> : kernels::scatter_strided<T>;
    copy(int(x.dim()), x.shape().begin(), one_run ? x.strides().begin() : strides.begin(), detail::ptr<T>(from),
         detail::mutable_ptr<T>(y) + offset);
  });
}

Tensor triangle(const Tensor& x, int64_t diagonal, bool lower) {
  const int64_t rows = x.shape()[x.dim() - 2], columns = x.shape()[x.dim() - 1];
  const Tensor from = detail::plain(x);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for (int64_t at = 0, row = 0; at < y.numel(); at += columns, ++row) {
      const int64_t i = row % rows;
      const int64_t begin = lower ? 0 : std::clamp<int64_t>(i + diagonal, 0, columns);
      const int64_t end = lower ? std::clamp<int64_t>(i + diagonal + 1, 0, columns) : columns;
      std::fill_n(out + at, columns, T(0));
      std::copy(in + at + begin, in + at + end, out + at + begin);
    }
  });
  return y;
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_same_dtype("where", a, b);
  const Shape values = a.shape() == b.shape() ? a.shape() : broadcast_shape("where", a.shape(), b.shape());
  const Shape shape = condition.shape() == values ? values : broadcast_shape("where", condition.shape(), values);
  Tensor y = detail::new_tensor(shape, a.dtype());
  const Shape strides[] = {broadcast_strides(condition, shape), broadcast_strides(a, shape),
                           broadcast_strides(b, shape)};
  // Choosing is the same for all types of one size.
  const auto choose = [&]<class Bits>(Bits) {
    kernels::map3_strided(int(shape.size()), shape.begin(),
                          kernels::View<uint8_t>{detail::ptr<uint8_t>(condition), strides[0].begin()},
                          kernels::View<Bits>{detail::ptr<Bits>(a), strides[1].begin()},
                          kernels::View<Bits>{detail::ptr<Bits>(b), strides[2].begin()}, detail::mutable_ptr<Bits>(y),
                          [](uint8_t condition, Bits a, Bits b) { return condition ? a : b; });
  };
  switch (item_size(a.dtype())) {
    case 1: choose(uint8_t{}); break;
    case 4: choose(uint32_t{}); break;
    default: choose(uint64_t{});
  }
  return y;
}

bool contains(const Tensor& x, bool value) {
  const Tensor from = detail::plain(x);
  const bool* in = detail::ptr<bool>(from);
  return std::find(in, in + x.numel(), value) != in + x.numel();
}

}  // namespace tapegrad::compute
