// Copies: clone, contiguous, conversion of type, writing in place.
//   y = x    dx = dy, in x's dtype
#include <algorithm>
#include <cmath>

#include "kernels/loops/strided.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor contiguous_copy(const Tensor& x) {
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    if (x.is_contiguous())
      std::copy_n(detail::ptr<T>(x), x.numel(), detail::mutable_ptr<T>(y));
    else
      kernels::copy_strided(int(x.dim()), x.shape().begin(), x.strides().begin(), detail::ptr<T>(x),
                            detail::mutable_ptr<T>(y));
  });
  return y;
}

Tensor converted(const Tensor& x, Dtype dtype) {
  const Tensor from = x.is_contiguous() ? x : contiguous_copy(x);
  Tensor y = detail::new_tensor(x.shape(), dtype);
  detail::dispatch_all(x.dtype(), [&]<class From>(From) {
    detail::dispatch_all(dtype, [&]<class To>(To) {
      std::transform(detail::ptr<From>(from), detail::ptr<From>(from) + from.numel(),
                     detail::mutable_ptr<To>(y), [](From value) {
                       if constexpr (std::is_floating_point_v<From> && std::is_same_v<To, int64_t>)
                         if (!(std::fabs(value) < From(0x1p63)))
                           fail<ValueError>("to", "int64 holds numbers below 2^63 in magnitude, got {}",
                                            value);
                       return To(value);
                     });
    });
  });
  return y;
}

}  // namespace

Tensor Tensor::clone() const {
  return record("clone", contiguous_copy(*this), {*this}, [](const Tensor& dy) -> Gradients { return {dy}; });
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  return record("contiguous", contiguous_copy(*this), {*this},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor y = converted(*this, dtype);
  if (!is_floating(dtype) || !is_floating(this->dtype())) return record_nondifferentiable("to", y, {*this});
  return record("to", y, {*this},
                [from = this->dtype()](const Tensor& dy) -> Gradients { return {dy.to(from)}; });
}

Tensor& Tensor::fill_(double value) {
  detail::check_writable("fill_", *this);
  detail::fill("fill_", *this, value);
  ++impl()->storage->version;
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  detail::check_writable("copy_", *this);
  if (source.dtype() != dtype()) check_same_dtype("copy_", *this, source);
  if (broadcast_shape("copy_", shape(), source.shape()) != shape())
    fail<ShapeError>("copy_", "the source must broadcast to {}, got {}", shape(), source.shape());
  detail::dispatch_all(dtype(), [&]<class T>(T) {
    const Tensor from =
        source.impl()->storage.get() == impl()->storage.get() ? contiguous_copy(source) : source;
    const Shape strides = detail::broadcast_strides(from, shape());
    kernels::copy_strided(int(dim()), shape().begin(), strides.begin(), detail::ptr<T>(from),
                          mutable_data<T>().data());
  });
  return *this;
}

}  // namespace tapegrad
