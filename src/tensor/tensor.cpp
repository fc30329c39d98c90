// The handle's own members: what a tensor is, and access to its memory.
#include <tapegrad/tensor.h>

#include <algorithm>
#include <limits>
#include <new>

#include "core/fail.h"
#include "tensor/impl.h"

namespace tapegrad {

namespace detail {

namespace {

// Large blocks begin on pages. Were the data to begin at the same place of each, a loop over five tensors
// would read and write five addresses that agree in their low twelve bits, which share a set of the cache and
// which the core takes for dependent (an LSTM of 128 lost a fifth of its time to it). So each begins some
// cache lines further on.
constexpr size_t kStaggerFrom = 65536, kStaggerRoom = 4096;

uint32_t stagger() {
  thread_local uint32_t count = 0;
  return 64 * (++count * 9 % 64);
}

size_t storage_bytes(size_t bytes) {
  return 64 + bytes + (bytes >= kStaggerFrom ? kStaggerRoom : 0);
}

}  // namespace

Ref<Storage> new_storage(size_t bytes, [[maybe_unused]] Dtype dtype) {
  Storage* storage = new (allocate(storage_bytes(bytes))) Storage;
  if (bytes >= kStaggerFrom) storage->offset += stagger();
  storage->bytes = bytes;
#ifdef TAPEGRAD_DEBUG_MEMORY
  // Whoever reads memory before writing to it shall see it.
  if (dtype == float32)
    std::fill_n(reinterpret_cast<uint32_t*>(storage->data()), bytes / 4, 0x7fa00000u);
  else if (dtype == float64)
    std::fill_n(reinterpret_cast<uint64_t*>(storage->data()), bytes / 8, 0x7ff4000000000000u);
#endif
  return Ref<Storage>::adopt(storage);
}

void destroy(Storage* storage) noexcept {
  const size_t bytes = storage->bytes;
  storage->~Storage();
  deallocate(storage, storage_bytes(bytes));
}

void destroy(TensorImpl* impl) noexcept {
  static_assert(std::is_base_of_v<Counted, TensorImpl>);
  impl->~TensorImpl();
  deallocate(impl, sizeof(TensorImpl));
}

namespace {
Ref<TensorImpl> new_impl() {
  return Ref<TensorImpl>::adopt(new (allocate(sizeof(TensorImpl))) TensorImpl);
}
}  // namespace

Tensor new_tensor(const Shape& shape, Dtype dtype) {
  const int64_t numel = shape.numel();
  size_t bytes = 0;
  if (__builtin_mul_overflow(size_t(numel), item_size(dtype), &bytes))
    fail<ShapeError>("tensor", "the bytes of {} in {} do not fit 64 bits", shape, dtype);
  Ref<TensorImpl> impl = new_impl();
  impl->dtype = dtype;
  impl->numel = numel;
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->storage = new_storage(bytes, dtype);
  impl->data = impl->storage->data();
  return Tensor(std::move(impl));
}

Tensor new_view(const Tensor& x, const Shape& shape, const Shape& strides, int64_t offset) {
  Ref<TensorImpl> impl = new_impl();
  const TensorImpl& base = *x.impl();
  impl->dtype = base.dtype;
  impl->numel = shape.numel();
  impl->shape = shape;
  impl->strides = strides;
  impl->storage = base.storage;
  impl->data = base.data + offset * int64_t(item_size(base.dtype));
  // Axes of size one may have any stride, and an empty tensor is contiguous whatever its strides are.
  int64_t step = 1;
  for (int64_t i = shape.size() - 1; i >= 0 && impl->numel > 0; --i) {
    if (shape[i] != 1 && strides[i] != step) impl->contiguous = false;
    step *= shape[i];
  }
  return Tensor(std::move(impl));
}

void fail_not_floating(const char* op, Dtype dtype) {
  fail<DtypeError>(op, "takes float32 or float64, got {}. Hint: convert with x.to(float32)", dtype);
}

}  // namespace detail

namespace {
detail::TensorImpl& get(const Tensor& x) {
  if (!x.defined()) [[unlikely]]
    fail<ValueError>("tensor", "this handle is empty. Hint: it was default-constructed or moved from");
  return *x.impl();
}

void check_type(const detail::TensorImpl& impl, Dtype wanted) {
  if (impl.dtype != wanted) [[unlikely]]
    fail<DtypeError>("data", "the tensor is {}, asked for as {}", impl.dtype, wanted);
}
}  // namespace

const Shape& Tensor::shape() const {
  return get(*this).shape;
}
int64_t Tensor::size(int64_t axis) const {
  return shape()[wrap_axis("size", axis, dim())];
}
int64_t Tensor::dim() const {
  return get(*this).shape.size();
}
int64_t Tensor::numel() const {
  return get(*this).numel;
}
Dtype Tensor::dtype() const {
  return get(*this).dtype;
}
const Shape& Tensor::strides() const {
  return get(*this).strides;
}
bool Tensor::is_contiguous() const {
  return get(*this).contiguous;
}
uint32_t Tensor::version() const {
  return get(*this).storage->version;
}

double Tensor::item() const {
  const detail::TensorImpl& impl = get(*this);
  if (impl.numel != 1) fail<ShapeError>("item", "the tensor must have one element, got {}", impl.shape);
  return detail::dispatch_all(impl.dtype, [&]<class T>(T) { return double(*detail::ptr<T>(*this)); });
}

template <class T>
std::span<const T> Tensor::data() const {
  const detail::TensorImpl& impl = get(*this);
  check_type(impl, dtype_of<T>);
  if (!impl.contiguous)
    fail<ShapeError>("data", "the tensor must be contiguous. Hint: call contiguous() first");
  return {detail::ptr<T>(*this), size_t(impl.numel)};
}

template <class T>
std::span<T> Tensor::mutable_data() {
  const detail::TensorImpl& impl = get(*this);
  check_type(impl, dtype_of<T>);
  if (!impl.contiguous) fail<ShapeError>("data", "the tensor must be contiguous. Hint: write to a clone()");
  ++impl.storage->version;
  return {detail::mutable_ptr<T>(*this), size_t(impl.numel)};
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const detail::TensorImpl& impl = get(*this);
  check_type(impl, dtype_of<T>);
  std::vector<T> out;
  out.reserve(size_t(impl.numel));
  if (impl.numel == 0) return out;
  // The odometer of any strided view: the last axis runs fastest.
  const int64_t rank = impl.shape.size();
  int64_t index[Shape::max_dims] = {};
  int64_t at = 0;
  for (int64_t i = 0; i < impl.numel; ++i) {
    out.push_back(detail::ptr<T>(*this)[at]);
    for (int64_t axis = rank - 1; axis >= 0; --axis) {
      at += impl.strides[axis];
      if (++index[axis] < impl.shape[axis]) break;
      at -= impl.strides[axis] * impl.shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

template std::span<const float> Tensor::data() const;
template std::span<const double> Tensor::data() const;
template std::span<const int64_t> Tensor::data() const;
template std::span<const bool> Tensor::data() const;
template std::span<float> Tensor::mutable_data();
template std::span<double> Tensor::mutable_data();
template std::span<int64_t> Tensor::mutable_data();
template std::span<bool> Tensor::mutable_data();
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<int64_t> Tensor::to_vector() const;
template std::vector<bool> Tensor::to_vector() const;

bool Tensor::requires_grad() const {
  return get(*this).requires_grad;
}

Tensor Tensor::grad() const {
  return Tensor(get(*this).grad);
}

void Tensor::set_grad(Tensor grad) {
  detail::TensorImpl& impl = get(*this);
  if (grad.defined() && grad.shape() != impl.shape)
    fail<ShapeError>("set_grad", "the gradient must have the tensor's shape {}, got {}", impl.shape,
                     grad.shape());
  if (grad.defined() && grad.dtype() != impl.dtype)
    fail<DtypeError>("set_grad", "the gradient must have the tensor's dtype {}, got {}", impl.dtype,
                     grad.dtype());
  impl.grad = grad.defined() ? grad.impl_ : detail::Ref<detail::TensorImpl>();
}

void Tensor::zero_grad() {
  get(*this).grad.reset();
}

void Tensor::set_data(const Tensor& source) {
  detail::TensorImpl& impl = get(*this);
  const detail::TensorImpl& from = get(source);
  if (impl.requires_grad && !is_floating(from.dtype))
    fail<DtypeError>("set_data", "a tensor with requires_grad must stay floating, got {}", from.dtype);
  impl.dtype = from.dtype;
  impl.contiguous = from.contiguous;
  impl.numel = from.numel;
  impl.shape = from.shape;
  impl.strides = from.strides;
  impl.data = from.data;
  impl.storage = from.storage;
  impl.grad.reset();
}

Tensor Tensor::detach() const {
  const detail::TensorImpl& impl = get(*this);
  return detail::new_view(*this, impl.shape, impl.strides, 0);
}

}  // namespace tapegrad
