// Writing to a tensor in place, and what the tape needs of the operations.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/state.h"
#include "ops/arithmetic/arithmetic.h"
#include "ops/elementwise.h"

namespace tapegrad::detail {

void check_writable(const char* op, const Tensor& x) {
  if (!x.defined()) fail<ValueError>(op, "the tensor is an empty handle");
  if (x.is_recorded())
    fail<AutogradError>(op,
                        "a tensor that the tape recorded cannot be changed in place. Hint: write x = x + y "
                        "in place of x += y");
  if (x.requires_grad() && is_recording())
    fail<AutogradError>(op,
                        "a leaf cannot be changed in place while a tape records: its gradient would miss the "
                        "change. Hint: do it "
                        "after the tape's scope, or under NoGrad");
  if (!x.is_contiguous())
    fail<ShapeError>(op, "a strided view cannot be changed in place. Hint: change a clone()");
}

Tensor sum_of(const Tensor& a, const Tensor& b) {
  return add(a, b);
}

void add_in_place(Tensor& a, const Tensor& b) {
  add_into(a, b, a);
  ++a.impl()->storage->version;
}

bool all_finite(const Tensor& x) {
  if (!is_floating(x.dtype())) return true;
  const Tensor from = x.detach().contiguous();
  return dispatch_float("all_finite", x.dtype(), [&]<class T>(T) {
    const T* in = ptr<T>(from);
    return std::all_of(in, in + from.numel(), [](T value) { return std::isfinite(value); });
  });
}

std::string range_text(const Tensor& x) {
  if (!is_floating(x.dtype())) return "no numbers";
  const Tensor from = x.detach().contiguous();
  return dispatch_float("range", x.dtype(), [&]<class T>(T) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (int64_t i = 0; i < from.numel(); ++i) {
      const double value = double(ptr<T>(from)[i]);
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    return low > high ? std::string("no finite value") : fmt::format("[{:.6g}, {:.6g}]", low, high);
  });
}

}  // namespace tapegrad::detail

namespace tapegrad {

namespace {

// a = a op b in a's own memory. Everything is checked before the first element changes.
Tensor& change(const char* op, Tensor& a, const Tensor& b,
               void (*into)(const Tensor& a, const Tensor& b, const Tensor& y)) {
  detail::check_writable(op, a);
  check_same_dtype(op, a, b);
  if (is_recording() && (b.requires_grad() || b.is_recorded()))
    fail<AutogradError>(
        op,
        "the tape cannot follow a change in place: the gradient of the right side would be lost. "
        "Hint: write x = x + y in place of x += y, or use y.detach() if it is meant as a value");
  if (a.shape() != b.shape() && broadcast_shape(op, a.shape(), b.shape()) != a.shape())
    fail<ShapeError>(op,
                     "the right side must broadcast to {}, got {}. Hint: write x = x + y in place of x += y",
                     a.shape(), b.shape());
  // Another view of the same memory would be read after it was written to.
  const bool overlaps = a.impl()->storage.get() == b.impl()->storage.get() &&
                        !(a.impl()->data == b.impl()->data && a.shape() == b.shape() && b.is_contiguous());
  into(a, overlaps ? b.detach().clone() : b, a);
  ++a.impl()->storage->version;
  return a;
}

}  // namespace

Tensor& operator+=(Tensor& a, const Tensor& b) {
  return change("+=", a, b, detail::add_into);
}
Tensor& operator-=(Tensor& a, const Tensor& b) {
  return change("-=", a, b, detail::sub_into);
}
Tensor& operator*=(Tensor& a, const Tensor& b) {
  return change("*=", a, b, detail::mul_into);
}
Tensor& operator/=(Tensor& a, const Tensor& b) {
  return change("/=", a, b, detail::div_into);
}
Tensor& operator+=(Tensor& a, double b) {
  return change("+=", a, number_like("+=", a, b), detail::add_into);
}
Tensor& operator-=(Tensor& a, double b) {
  return change("-=", a, number_like("-=", a, b), detail::sub_into);
}
Tensor& operator*=(Tensor& a, double b) {
  return change("*=", a, number_like("*=", a, b), detail::mul_into);
}
Tensor& operator/=(Tensor& a, double b) {
  return change("/=", a, number_like("/=", a, b), detail::div_into);
}

}  // namespace tapegrad
