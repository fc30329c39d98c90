// Writing to a tensor in place: a += b and its like.
#include "autograd/writable.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// a = a op b in a's own memory. Everything is checked before the first element changes.
Tensor& change(const char* op, Tensor& a, const Tensor& b, const compute::Arithmetic& arithmetic) {
  detail::check_writable(op, a);
  check_same_dtype(op, a, b);
  detail::check_written(op, b);
  if (a.shape() != b.shape() && broadcast_shape(op, a.shape(), b.shape()) != a.shape())
    fail<ShapeError>(op,
                     "the right side must broadcast to {}, got {}. Hint: write x = x + y in place of x += y",
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
