// y = a where the condition holds, else b; all three broadcast.
//   da = dy where the condition holds, else 0    db the other way round
// The condition is saved, the values are not: what was not chosen may be NaN or infinite and does no harm,
// unlike in condition * a + (1 - condition) * b.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

Tensor forward(const Tensor& condition, const Tensor& a, const Tensor& b) {
  if (condition.dtype() != boolean)
    fail<DtypeError>("where",
                     "the condition must be boolean, got {}. Hint: make a mask with a comparison, ne(x, 0)",
                     condition.dtype());
  check_same_dtype("where", a, b);
  const Shape values = a.shape() == b.shape() ? a.shape() : broadcast_shape("where", a.shape(), b.shape());
  const Shape shape =
      condition.shape() == values ? values : broadcast_shape("where", condition.shape(), values);
  Tensor y = detail::new_tensor(shape, a.dtype());
  const Shape strides[] = {detail::broadcast_strides(condition, shape), detail::broadcast_strides(a, shape),
                           detail::broadcast_strides(b, shape)};
  // Choosing is the same for all types of one size.
  const auto choose = [&]<class Bits>(Bits) {
    kernels::map3_strided(int(shape.size()), shape.begin(),
                          kernels::View<uint8_t>{detail::ptr<uint8_t>(condition), strides[0].begin()},
                          kernels::View<Bits>{detail::ptr<Bits>(a), strides[1].begin()},
                          kernels::View<Bits>{detail::ptr<Bits>(b), strides[2].begin()},
                          detail::mutable_ptr<Bits>(y),
                          [](uint8_t condition, Bits a, Bits b) { return condition ? a : b; });
  };
  switch (item_size(a.dtype())) {
    case 1: choose(uint8_t{}); break;
    case 4: choose(uint32_t{}); break;
    default: choose(uint64_t{});
  }
  return y;
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return record("where", forward(condition, a, b), {condition, a, b},
                [condition = Saved(condition)](const Tensor& dy, Needs needs) -> Gradients {
                  return {Tensor(), needs[1] ? where(condition, dy, 0) : Tensor(),
                          needs[2] ? where(condition, 0, dy) : Tensor()};
                });
}

Tensor where(const Tensor& condition, const Tensor& a, double b) {
  return record("where", forward(condition, a, number_like("where", a, b)), {condition, a},
                [condition = Saved(condition)](const Tensor& dy) -> Gradients {
                  return {Tensor(), where(condition, dy, 0)};
                });
}

Tensor where(const Tensor& condition, double a, const Tensor& b) {
  return record("where", forward(condition, number_like("where", b, a), b), {condition, b},
                [condition = Saved(condition)](const Tensor& dy) -> Gradients {
                  return {Tensor(), where(condition, 0, dy)};
                });
}

}  // namespace tapegrad
