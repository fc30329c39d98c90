// The handle's own members: what a tensor is, and access to its memory.
#include <algorithm>

#include "core/fail.h"
#include "kernels/loops/strided.h"
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

// What a handle to a new tensor points to lies between header and data where there is little data: one block less to ask
// for and to give back, which is a tenth of the time of an operation on one number.
constexpr size_t kInsideUpTo = 4096, kImplRoom = (sizeof(TensorImpl) + 63) / 64 * 64;

size_t data_offset(size_t bytes) { return sizeof(Storage) + (bytes <= kInsideUpTo ? kImplRoom : 0); }
size_t storage_bytes(size_t bytes) { return data_offset(bytes) + bytes + (bytes >= kStaggerFrom ? kStaggerRoom : 0); }

Ref<Storage> new_storage(size_t bytes, [[maybe_unused]] Dtype dtype) {
  Storage* storage = new (allocate(storage_bytes(bytes))) Storage;
  storage->offset = uint32_t(data_offset(bytes)) + (bytes >= kStaggerFrom ? stagger() : 0);
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

Ref<Storage> storage_for(const Shape& shape, size_t bytes, Dtype dtype) try {
  return new_storage(bytes, dtype);
} catch (const std::bad_alloc&) {
  fail<Error>("tensor", "there is no memory for {} in {}, {} bytes", shape, dtype, bytes);
}

}  // namespace

void destroy(Storage* storage) noexcept {
  const size_t bytes = storage->bytes;
  std::destroy_at(storage);
  deallocate(storage, storage_bytes(bytes));
}

void destroy(TensorImpl* impl) noexcept {
  static_assert(std::is_base_of_v<Counted, TensorImpl>);
  if (!impl->is_inside) {
    std::destroy_at(impl);
    return deallocate(impl, sizeof(TensorImpl));
  }
  const Ref<Storage> block = std::move(impl->first ? impl->first : impl->storage);  // outlives what lies in it
  std::destroy_at(impl);
}

Tensor new_tensor(const Shape& shape, Dtype dtype) {
  const int64_t numel = shape.numel();
  size_t bytes = 0;
  if (__builtin_mul_overflow(size_t(numel), item_size(dtype), &bytes) || bytes >> 63)
    fail<ShapeError>("tensor", "the bytes of {} in {} do not fit 64 bits", shape, dtype);
  Ref<Storage> storage = storage_for(shape, bytes, dtype);
  std::byte* const data = storage->data();
  const bool is_inside = bytes <= kInsideUpTo;
  void* place = is_inside ? storage.get() + 1 : allocate(sizeof(TensorImpl));
  auto* impl = new (place) TensorImpl(dtype, numel, data, std::move(storage), shape);
  impl->is_inside = is_inside;
  return Tensor(Ref<TensorImpl>::adopt(impl));
}

Tensor new_view(const Tensor& x, const Shape& shape, const Shape& strides, int64_t offset) {
  const View& base = *x.impl();
  std::byte* data = base.data + offset * int64_t(item_size(base.dtype));
  void* place = allocate(sizeof(TensorImpl));
  auto* view = new (place) TensorImpl(base.dtype, shape.numel(), data, base.storage, shape);
  // Axes of size one may have any stride, and an empty tensor is contiguous whatever its strides are.
  for (int64_t i = 0; i < shape.size() && view->numel > 0; ++i)
    if (shape[i] != 1 && strides[i] != view->strides[i]) view->contiguous = false;
  view->strides = strides;
  return Tensor(Ref<TensorImpl>::adopt(view));
}

Tensor contiguous_copy(const Tensor& x) {
  Tensor y = new_tensor(x.shape(), x.dtype());
  dispatch_all(x.dtype(), [&]<class T>(T) {
    if (x.is_contiguous())
      std::copy_n(ptr<T>(x), x.numel(), mutable_ptr<T>(y));
    else
      kernels::copy_strided(int(x.dim()), x.shape().begin(), x.strides().begin(), ptr<T>(x), mutable_ptr<T>(y));
  });
  return y;
}

Tensor plain(const Tensor& x) { return !x.defined() || x.is_contiguous() ? x : contiguous_copy(x); }

TensorImpl& fail_empty() {
  fail<ValueError>("tensor",
                   "this handle is empty. Hint: it was default-constructed or moved from, or is a grad() before "
                   "backward() or after zero_grad()");
}

void fail_not_floating(const char* op, Dtype dtype) {
  fail<DtypeError>(op, "takes float32 or float64, got {}. Hint: convert with x.to(float32)", dtype);
}

}  // namespace detail

namespace {
Dtype dtype_of_one(const Tensor& x) {
  if (x.numel() != 1) fail<ShapeError>("item", "the tensor must have one element, got {}", x.shape());
  return x.dtype();
}
}  // namespace

int64_t Tensor::size(int64_t axis) const { return shape()[wrap_axis("size", axis, dim())]; }

double Tensor::item() const {
  return detail::dispatch_all(dtype_of_one(*this), [&]<class T>(T) { return double(*detail::ptr<T>(*this)); });
}

template <Element T>
T Tensor::item() const {
  if (const Dtype dtype = dtype_of_one(*this); dtype != dtype_of<T>)
    fail<DtypeError>("item", "the tensor is {}, asked for as {}. Hint: item() gives any number as a double", dtype,
                     dtype_of<T>);
  return *detail::ptr<T>(*this);
}
template float Tensor::item<float>() const;
template double Tensor::item<double>() const;
template int64_t Tensor::item<int64_t>() const;
template bool Tensor::item<bool>() const;

void* Tensor::elements(Dtype wanted, bool to_write) const {
  const detail::TensorImpl& impl = get();
  if (impl.dtype != wanted) fail<DtypeError>("data", "the tensor is {}, asked for as {}", impl.dtype, wanted);
  if (!impl.contiguous)
    fail<ShapeError>("data", "the tensor must be contiguous. Hint: {}",
                     to_write ? "write with copy_() or fill_()" : "call contiguous() first");
  impl.storage->version += to_write;
  return impl.data;
}

Tensor Tensor::grad() const { return Tensor(get().grad); }

void Tensor::set_grad(Tensor grad) {
  detail::TensorImpl& impl = get();
  if (grad.defined() && grad.shape() != impl.shape)
    fail<ShapeError>("set_grad", "the gradient must have the tensor's shape {}, got {}", impl.shape, grad.shape());
  if (grad.defined() && grad.dtype() != impl.dtype)
    fail<DtypeError>("set_grad", "the gradient must have the tensor's dtype {}, got {}", impl.dtype, grad.dtype());
  impl.grad = std::move(grad.impl_);
}

void Tensor::zero_grad() { get().grad = {}; }

void Tensor::set_data(const Tensor& source) {
  detail::TensorImpl& impl = get();
  const detail::TensorImpl& from = source.get();
  if (impl.requires_grad && !is_floating(from.dtype))
    fail<DtypeError>("set_data", "a tensor with requires_grad must stay floating, got {}", from.dtype);
  if (impl.is_inside && !impl.first) impl.first = impl.storage;
  static_cast<detail::View&>(impl) = from;
  impl.grad = {};
}

Tensor Tensor::detach() const {
  const detail::TensorImpl& impl = get();
  return detail::new_view(*this, impl.shape, impl.strides, 0);
}

}  // namespace tapegrad
