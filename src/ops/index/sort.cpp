// Elements of an axis in order.
//   sort, topk    y_i = x[index_i]    dx = dy added at index_i (scatter_add)
// The order is constant around x as long as no two elements are equal; the indices are saved. Ties go by
// position, which makes the sort stable without the memory that a stable sort takes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/elementwise.h"

namespace tapegrad {

namespace {

template <class T>
bool less(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    if (std::isnan(b)) return !std::isnan(a);  // NaN is the largest
  return a < b;
}

// The first `count` indices of each row [n] of x in order, into [rows, count].
template <class T>
void rank_rows(const Tensor& x, int64_t n, int64_t count, bool descending, int64_t* out) {
  const Tensor all = detail::new_tensor({n}, int64);
  int64_t* order = detail::mutable_ptr<int64_t>(all);
  for (int64_t row = 0; row < x.numel() / std::max<int64_t>(n, 1); ++row) {
    const T* in = detail::ptr<T>(x) + row * n;
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

Tensor ranked(const Tensor& x, int64_t axis, int64_t count, bool descending) {
  const Tensor from = x.detach().transpose(axis, -1).contiguous();
  Shape shape = from.shape();
  shape[x.dim() - 1] = count;
  const Tensor indices = detail::new_tensor(shape, int64);
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    rank_rows<T>(from, from.shape().back(), count, descending, detail::mutable_ptr<int64_t>(indices));
  });
  return indices.transpose(axis, -1).contiguous();
}

// gather() under the operation's own name.
ValuesAndIndices picked(const char* op, const Tensor& x, int64_t axis, const Tensor& indices) {
  const Tensor values = gather(x.detach(), axis, indices);
  const auto vjp = [axis, shape = x.shape(), indices = Saved(indices)](const Gradients& dy) -> Gradients {
    return {scatter_add(zeros(shape, {.dtype = dy[0].dtype()}), axis, indices, dy[0])};
  };
  Gradients both = record(op, Gradients{values, indices}, {x}, vjp);
  return {both[0], both[1]};
}

}  // namespace

ValuesAndIndices sort(const Tensor& x, int64_t axis, SortOptions options) {
  const int64_t at = wrap_axis("sort", axis, x.dim());
  return picked("sort", x, at, ranked(x, at, x.shape()[at], options.descending));
}

Tensor argsort(const Tensor& x, int64_t axis, SortOptions options) {
  const int64_t at = wrap_axis("argsort", axis, x.dim());
  return record_nondifferentiable("argsort", ranked(x, at, x.shape()[at], options.descending), {x},
                                  {{"axis", at}, {"descending", options.descending}});
}

ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t axis, TopkOptions options) {
  const int64_t at = wrap_axis("topk", axis, x.dim()), size = x.shape()[at];
  if (k < 0 || k > size)
    fail<IndexError>("topk", "k must be in [0, {}] for axis {} of {}, got {}", size, axis, x.shape(), k);
  return picked("topk", x, at, ranked(x, at, k, options.largest));
}

}  // namespace tapegrad
