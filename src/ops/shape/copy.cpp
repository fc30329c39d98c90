// Copies: clone, contiguous, conversion of type, writing in place.
//   y = x    dx = dy, in x's dtype
#include "autograd/writable.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor Tensor::clone() const {
  return record("clone", detail::contiguous_copy(*this), {*this},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  return record("contiguous", detail::contiguous_copy(*this), {*this},
                [](const Tensor& dy) -> Gradients { return {dy}; });
}

Tensor Tensor::to(Dtype dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor y = compute::convert(*this, dtype);
  if (!is_floating(dtype) || !is_floating(this->dtype()))
    return record_nondifferentiable("to", y, {*this}, {{"dtype", to_string(dtype)}});
  return record("to", y, {*this}, {{"dtype", to_string(dtype)}},
                [from = this->dtype()](const Tensor& dy) -> Gradients { return {dy.to(from)}; });
}

Tensor& Tensor::fill_(double value) {
  detail::check_writable("fill_", *this);
  const Tensor filled = is_contiguous() ? *this : empty({}, {.dtype = dtype()});
  detail::fill("fill_", filled, value);
  if (!is_contiguous()) compute::copy_into(filled, *this);
  ++impl()->storage->version;
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  detail::check_writable("copy_", *this);
  detail::check_written("copy_", source);
  if (source.dtype() != dtype()) check_same_dtype("copy_", *this, source);
  if (broadcast_shape("copy_", shape(), source.shape()) != shape())
    fail<ShapeError>("copy_", "the source must broadcast to {}, got {}", shape(), source.shape());
  compute::copy_into(source, *this);
  ++impl()->storage->version;
  return *this;
}

}  // namespace tapegrad
