// Copies: clone, contiguous, conversion of type, writing in place.
//   y = x    dx = dy, in x's dtype
//
// Writing to a tensor in place: a += b and its like.
#include "autograd/writable.h"
#include "ops/elementwise.h"

namespace tapegrad {

Tensor Tensor::clone() const {
  return record("clone", detail::contiguous_copy(*this), {*this}, [](const Tensor& dy) -> Gradients { return {dy}; });
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

namespace {

// a = a op b in a's own memory. Everything is checked before the first element changes.
Tensor& change(const char* op, Tensor& a, const Tensor& b, const compute::Arithmetic& arithmetic) {
  detail::check_writable(op, a);
  check_same_dtype(op, a, b);
  detail::check_written(op, b);
  if (a.shape() != b.shape() && broadcast_shape(op, a.shape(), b.shape()) != a.shape())
    fail<ShapeError>(op, "the right side must broadcast to {}, got {}. Hint: write x = x + y in place of x += y",
                     a.shape(), b.shape());
  // Another view of the same memory would be read after it was written to.
  const bool overlaps = a.impl()->storage.get() == b.impl()->storage.get() &&
                        !(a.impl()->data == b.impl()->data && a.shape() == b.shape() && b.is_contiguous());
  if (a.is_contiguous())
    arithmetic.into(a, overlaps ? b.detach().clone() : b, a);
  else
    compute::copy_into(arithmetic(a, b), a);
  ++a.impl()->storage->version;
  return a;
}

}  // namespace

Tensor& operator+=(Tensor& a, const Tensor& b) { return change("+=", a, b, compute::add); }
Tensor& operator-=(Tensor& a, const Tensor& b) { return change("-=", a, b, compute::sub); }
Tensor& operator*=(Tensor& a, const Tensor& b) { return change("*=", a, b, compute::mul); }
Tensor& operator/=(Tensor& a, const Tensor& b) { return change("/=", a, b, compute::div); }
Tensor& operator+=(Tensor& a, double b) { return change("+=", a, number_like("+=", a, b), compute::add); }
Tensor& operator-=(Tensor& a, double b) { return change("-=", a, number_like("-=", a, b), compute::sub); }
Tensor& operator*=(Tensor& a, double b) { return change("*=", a, number_like("*=", a, b), compute::mul); }
Tensor& operator/=(Tensor& a, double b) { return change("/=", a, number_like("/=", a, b), compute::div); }

}  // namespace tapegrad
