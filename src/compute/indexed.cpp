#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "compute/arrays.h"
#include "compute/elementwise.h"

namespace tapegrad::compute {

namespace {

constexpr int64_t kGrain = 1 << 17;  // bytes of a chunk of rows to copy

// f(i, offset in x) for element i of index, in row-major order.
template <class F>
void for_each_index(const Tensor& index, const Shape& strides, int64_t axis, F f) {
  const int64_t* at = detail::ptr<int64_t>(index);
  const Shape& shape = index.shape();
  const int64_t step = strides[axis];
  int64_t position[Shape::max_dims] = {}, offset = 0;  // of the row, without the axis
  for (int64_t i = 0; i < index.numel(); ++i) {
    f(i, offset + at[i] * step);
    for (int64_t d = shape.size() - 1; d >= 0; --d) {
      const int64_t stride = d == axis ? 0 : strides[d];
      offset += stride;
      if (++position[d] < shape[d]) break;
      offset -= stride * shape[d];
      position[d] = 0;
    }
  }
}

// x seen as [outer, n, inner] around an axis.
struct Blocks {
  int64_t outer = 1, n, inner = 1;
  Blocks(const Shape& shape, int64_t axis) : n(shape[axis]) {
    for (int64_t i = 0; i < axis; ++i) outer *= shape[i];
    for (int64_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  }
};

template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (std::isnan(b)) return !std::isnan(a);
  return a < b;
}

template <class T>
void argsort_rows(const Tensor& x, int64_t n, int64_t count, bool descending, int64_t* out) {
  const Tensor all = detail::new_tensor({n}, int64);
  int64_t* order = detail::mutable_ptr<int64_t>(all);
  for (int64_t row = 0; row < x.numel() / std::max<int64_t>(n, 1); ++row) {
    const T* in = detail::ptr<T>(x) + row * n;
    // The position as the last criterion makes the sort stable without the memory that a stable one takes.
    const auto before = [in, descending](int64_t i, int64_t j) {
      if (less(in[i], in[j])) return !descending;
      if (less(in[j], in[i])) return descending;
      return i < j;
    };
    std::iota(order, order + n, int64_t(0));
    if (count == n)
      std::sort(order, order + n, before);
    else
      std::partial_sort(order, order + count, order + n, before);
    std::copy_n(order, count, out + row * count);
  }
}

}  // namespace

int64_t first_outside(const Tensor& index, int64_t size) {
  const Tensor from = detail::plain(index);
  const int64_t *begin = detail::ptr<int64_t>(from), *end = begin + index.numel();
  bool outside = false;  // all of them first: a loop without an exit is vectorized
  for (const int64_t* at = begin; at < end; ++at) outside |= *at < 0 || *at >= size;
  if (!outside) return -1;
  return std::find_if(begin, end, [=](int64_t i) { return i < 0 || i >= size; }) - begin;
}

void check_indices(const char* op, const Tensor& index, int64_t size) {
  if (index.dtype() != int64)
    fail<DtypeError>(op, "indices must be int64, got {}. Hint: {}", index.dtype(),
                     index.dtype() == boolean ? "where() and masked_fill() take masks" : "convert with x.to(int64)");
  const int64_t first = first_outside(index, size);
  if (first < 0) return;
  fail<IndexError>(op, "the index at {} must be in [0, {}), got {}", detail::index_of(first, index.shape()), size,
                   detail::ptr<int64_t>(detail::plain(index))[first]);
}

Tensor gather(const Tensor& x, int64_t axis, const Tensor& index) {
  const Tensor from = detail::plain(index);
  Tensor y = detail::new_tensor(index.shape(), x.dtype());
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(x);
    T* out = detail::mutable_ptr<T>(y);
    for_each_index(from, x.strides(), axis, [=](int64_t i, int64_t offset) { out[i] = in[offset]; });
  });
  return y;
}

Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source) {
  const Tensor at = detail::plain(index), from = detail::plain(source);
  Tensor y = detail::contiguous_copy(x);
  detail::dispatch_float("scatter_add", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for_each_index(at, y.strides(), axis, [=](int64_t i, int64_t offset) { out[offset] += in[i]; });
  });
  return y;
}

Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index, int64_t zero) {
  const Tensor from = detail::plain(x), order = detail::plain(index);
  const Blocks blocks(x.shape(), axis);
  Shape shape = x.shape();
  shape.erase(axis);
  for (int64_t i = 0; i < index.dim(); ++i) shape.insert(axis + i, index.shape()[i]);
  Tensor y = detail::new_tensor(shape, x.dtype());
  if (y.numel() == 0) return y;
  const int64_t* at = detail::ptr<int64_t>(order);
  const int64_t count = index.numel(), bytes = blocks.inner * int64_t(item_size(x.dtype()));
  const std::byte* in = from.impl()->data;
  std::byte* out = y.impl()->data;
  parallel_rows(blocks.outer * count, std::max<int64_t>(1, kGrain / bytes), [=](int64_t begin, int64_t end) {
    int64_t block = begin / count * blocks.n, i = begin % count;
    for (int64_t row = begin; row < end; ++row) {
      if (at[i] == zero)
        std::memset(out + row * bytes, 0, size_t(bytes));
      else
        std::memcpy(out + row * bytes, in + (block + at[i]) * bytes, size_t(bytes));
      if (++i < count) continue;
      i = 0;
      block += blocks.n;
    }
  });
  return y;
}

void index_add(const Tensor& source, int64_t axis, const Tensor& index, const Tensor& y, int64_t skipped) {
  const Tensor from = detail::plain(source), order = detail::plain(index);
  const Blocks blocks(y.shape(), axis);
  const int64_t count = index.numel(), inner = blocks.inner;
  detail::dispatch_float("index_add", y.dtype(), [&]<class T>(T) {
    const int64_t* at = detail::ptr<int64_t>(order);
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    for (int64_t o = 0; o < blocks.outer; ++o)
      for (int64_t i = 0; i < count; ++i, in += inner) {
        if (at[i] == skipped) continue;
        T* to = out + (o * blocks.n + at[i]) * inner;
        for (int64_t k = 0; k < inner; ++k) to[k] += in[k];
      }
  });
}

Tensor last_positions(const Tensor& index, int64_t size) {
  const Tensor from = detail::plain(index), y = full({size}, -1, {.dtype = int64});
  for (int64_t i = 0; i < index.numel(); ++i) detail::mutable_ptr<int64_t>(y)[detail::ptr<int64_t>(from)[i]] = i;
  return y;
}

Tensor draw(const Tensor& cumulative, const Tensor& u) {
  const Tensor sums = detail::plain(cumulative), from = detail::plain(u);
  const Tensor y = detail::new_tensor(u.shape(), int64);
  const double *sum = detail::ptr<double>(sums), *in = detail::ptr<double>(from);
  int64_t* out = detail::mutable_ptr<int64_t>(y);
  const int64_t k = cumulative.shape()[1], count = u.shape()[1];
  for (int64_t i = 0; i < y.numel(); ++i) {
    const double *row = sum + i / count * k, *end = row + k;
    const double* at = std::upper_bound(row, end, in[i] * end[-1]);
    out[i] = (at < end ? at : std::lower_bound(row, end, end[-1])) - row;  // the product may round up to the sum
  }
  return y;
}

Tensor one_hot(const Tensor& index, int64_t num_classes, Dtype dtype) {
  const Tensor from = detail::plain(index);
  const int64_t* at = detail::ptr<int64_t>(from);
  Shape shape = index.shape();
  shape.push_back(num_classes);
  return generate(shape, dtype, [=](int64_t i) { return at[i / num_classes] == i % num_classes; });
}

Tensor argsort(const Tensor& x, int64_t axis, int64_t count, bool descending) {
  const int64_t last = x.dim() - 1;
  const Tensor from = detail::plain(transpose(x, axis, last));
  Shape shape = from.shape();
  shape[last] = count;
  const Tensor indices = detail::new_tensor(shape, int64);
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    argsort_rows<T>(from, from.shape().back(), count, descending, detail::mutable_ptr<int64_t>(indices));
  });
  return detail::plain(transpose(indices, axis, last));
}

}  // namespace tapegrad::compute
