#include "compute/elementwise.h"

#include <cmath>

#include "compute/arrays.h"

namespace tapegrad::compute {

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() == b.dtype()) return;
  // Towards what has gradients: the floating one, and of two the one that is trained.
  const auto rank = [](const Tensor& x) {
    return x.dtype() == boolean ? 0 : !is_floating(x.dtype()) ? 1 : x.requires_grad() ? 3 : 2;
  };
  fail<DtypeError>(op, "both must have one dtype, got {} and {}. Hint: convert one with x.to({})", a.dtype(), b.dtype(),
                   rank(b) > rank(a) ? b.dtype() : a.dtype());
}

void check_floating(const char* op, const Tensor& x) {
  if (!is_floating(x.dtype())) detail::fail_not_floating(op, x.dtype());
}

Tensor number_like(const char* op, const Tensor& x, double value) {
  // Not `int64_t(value) != value`: converting what no int64 holds is undefined.
  if (!is_floating(x.dtype()) && !(std::fabs(value) < 0x1p63 && std::trunc(value) == value))
    fail<DtypeError>(op, "{} tensors take whole numbers, got {}. Hint: convert with x.to(float32)", x.dtype(), value);
  return generate({}, x.dtype(), [=](int64_t) { return value; });
}

Shape broadcast_strides(const Tensor& x, const Shape& shape) {
  Shape strides = shape;
  const int64_t lead = shape.size() - x.dim();
  for (int64_t i = 0; i < shape.size(); ++i)
    strides[i] = i < lead || (x.shape()[i - lead] == 1 && shape[i] != 1) ? 0 : x.strides()[i - lead];
  return strides;
}

Tensor new_result(const char* op, const Tensor& a, const Tensor& b, Dtype dtype) {
  check_same_dtype(op, a, b);
  if (a.shape() == b.shape()) return detail::new_tensor(a.shape(), dtype);
  return detail::new_tensor(broadcast_shape(op, a.shape(), b.shape()), dtype);
}

BroadcastPlan::BroadcastPlan(const Tensor& first, const Tensor& second, const Shape& shape) : a(first), b(second) {
  for (;;) {
    const Shape strides_a = broadcast_strides(a, shape), strides_b = broadcast_strides(b, shape);
    loops = kernels::detail::collapse<2>(int(shape.size()), shape.begin(), {strides_a.begin(), strides_b.begin()});
    const int64_t step_a = loops.inner_stride(0), step_b = loops.inner_stride(1);
    one_a = step_a == 0;
    one_b = step_b == 0;
    if (!one_a && step_a != 1)
      a = detail::plain(a);
    else if (!one_b && step_b != 1)
      b = detail::plain(b);
    else if (one_a && one_b)
      a = detail::plain(broadcast_to(a, shape));
    else
      return;
  }
}

}  // namespace tapegrad::compute
