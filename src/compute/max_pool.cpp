#include "compute/conv.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

namespace {

// Planes of a chunk, which has about 32768 pixels.
int64_t grain(int64_t plane) { return 32768 / std::max<int64_t>(plane, 1); }

}  // namespace

Tensor MaxPool::forward(const Tensors& in, Tensors* kept) const {
  const Tensor x = detail::plain(in[0]);
  const Shape shape{x.size(0), x.size(1), h.out, w.out};
  const Tensor y = detail::new_tensor(shape, x.dtype()), place = detail::new_tensor(shape, x.dtype());
  const int64_t plane = h.in * w.in, pooled = h.out * w.out;
  detail::dispatch_float("max_pool2d", x.dtype(), [&]<class T>(T) {
    const T* from = detail::ptr<T>(x);
    T *to = detail::mutable_ptr<T>(y), *at = detail::mutable_ptr<T>(place);
    parallel_rows(shape[0] * shape[1], grain(plane), [=, *this](int64_t begin, int64_t end) {
      kernels::max_pool(end - begin, h, w, from + begin * plane, to + begin * pooled, at + begin * pooled);
    });
  });
  if (kept) kept->push_back(place);
  return y;
}

Gradients MaxPool::backward(const Tensors& dys, const Tensors& in, const Tensors& kept, Needs) const {
  const Tensor dy = detail::plain(dys[0]), dx = detail::new_tensor(in[0].shape(), in[0].dtype());
  const int64_t plane = h.in * w.in, pooled = h.out * w.out;
  detail::dispatch_float("max_pool2d", dx.dtype(), [&]<class T>(T) {
    const T *from = detail::ptr<T>(dy), *at = detail::ptr<T>(kept[0]);
    T* to = detail::mutable_ptr<T>(dx);
    parallel_rows(dx.size(0) * dx.size(1), grain(plane), [=, *this](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        kernels::max_pool_backward(h, w, from + i * pooled, at + i * pooled, to + i * plane);
    });
  });
  return {dx};
}

}  // namespace tapegrad::compute
