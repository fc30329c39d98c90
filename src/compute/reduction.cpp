#include "compute/reduction.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "core/fail.h"
#include "kernels/loops/reduce.h"
#include "kernels/vector/lanes.h"
#include "system/parallel.h"

namespace tapegrad::compute {

uint32_t axis_bits(const char* op, const Shape& axes, int64_t rank) {
  uint32_t bits = 0;
  for (int64_t axis : axes) {
    const int64_t at = wrap_axis(op, axis, rank);
    if (bits >> at & 1) fail<IndexError>(op, "axis {} is named twice in {}", axis, axes);
    bits |= 1u << at;
  }
  return bits;
}

Reduction::Reduction(const char* op, const Shape& shape, const Axes& axes, bool keepdim)
    : keepdim(keepdim), shape_(shape) {
  const int64_t rank = shape.size();
  reduced_ = axes.all() ? (1u << rank) - 1 : axis_bits(op, axes.list(), rank);

  // Side by side: once the reduced axes have begun and ended, none may follow. Axes of size one do not
  // matter.
  enum { before, inside, after } place = before;
  for (int64_t i = 0; i < rank; ++i) {
    if (shape[i] == 1) continue;
    if (is_reduced(i)) {
      if (place == after) in_order_ = false;
      place = inside;
      n *= shape[i];
    } else {
      if (place == inside) place = after;
      (place == before ? outer : inner) *= shape[i];
    }
  }
  if (!in_order_) {  // arrange() moves them to the end
    outer *= inner;
    inner = 1;
  }
  for (bool reduced : {false, true})
    for (int64_t i = 0; i < rank; ++i)
      if (is_reduced(i) == reduced) order_.push_back(i);
}

Tensor Reduction::arrange(const Tensor& x) const { return detail::plain(in_order_ ? x : permute(x, order_)); }

Tensor Reduction::arrange_rows(const Tensor& x) const {
  return detail::plain(in_order_ && inner == 1 ? x : permute(x, order_));
}

Tensor Reduction::restore_rows(const Tensor& rows) const {
  return in_order_ && inner == 1 ? rows : permute(rows, inverse_order());
}

Shape Reduction::inverse_order() const {
  Shape back = order_;
  for (int64_t i = 0; i < order_.size(); ++i) back[order_[i]] = i;
  return back;
}

Shape Reduction::kept_shape() const {
  Shape shape = shape_;
  for (int64_t i = 0; i < shape.size(); ++i)
    if (is_reduced(i)) shape[i] = 1;
  return shape;
}

Shape Reduction::result_shape() const {
  Shape shape = kept_shape();
  for (int64_t i = shape.size() - 1; i >= 0; --i)
    if (is_reduced(i) && !keepdim) shape.erase(i);
  return shape;
}

Axes Reduction::axes() const { return Axes(Shape(std::span(order_).last(size_t(std::popcount(reduced_))))); }

namespace {

// One tall block is cut into pieces of rows, whose sums are added in their order.
template <class T>
void sum_block(int64_t n, int64_t inner, const T* x, T* y, double divisor) {
  const int64_t rows = kernels::fold_rows(inner);
  const int64_t pieces = (n + rows - 1) / rows;
  if (pieces <= 1) return kernels::sum(1, n, inner, x, y, divisor);
  const Tensor sums = detail::new_tensor({pieces, inner}, float64);
  double* to = detail::mutable_ptr<double>(sums);
  parallel_for(pieces, [=](int64_t piece) {
    const int64_t first = piece * rows;
    kernels::sum(1, std::min(rows, n - first), inner, x + first * inner, to + piece * inner);
  });
  kernels::sum(1, pieces, inner, to, y, divisor);
}

}  // namespace

Tensor reduce_sum(const char* op, const Tensor& x, const Reduction& over, double divisor) {
  const int64_t n = over.n, inner = over.inner;
  return reduce(op, x, over, [&]<class T>(const T* in, T* out) {
    if (over.outer == 1) return sum_block(n, inner, in, out, divisor);
    parallel_rows(over.outer, kernels::fold_rows(n * inner), [=](int64_t begin, int64_t end) {
      kernels::sum(end - begin, n, inner, in + begin * n * inner, out + begin * inner, divisor);
    });
  });
}

Tensor count_sum(const Tensor& x, const Reduction& over) {
  const Tensor from = over.arrange(x);
  const Tensor y = detail::new_tensor(over.result_shape(), int64);
  int64_t* out = detail::mutable_ptr<int64_t>(y);
  detail::dispatch_all(x.dtype(), [&]<class T>(T) {
    kernels::fold<uint64_t>(  // unsigned, which may leave the range
        over.outer, over.n, over.inner, detail::ptr<T>(from), [](int64_t) { return uint64_t(0); },
        [](uint64_t& total, T value, int64_t) { total += uint64_t(int64_t(value)); },
        [=](int64_t at, uint64_t total) { out[at] = int64_t(total); });
  });
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  Shape axes;
  const int64_t lead = x.dim() - shape.size();
  for (int64_t i = 0; i < x.dim(); ++i)
    if (i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  const Tensor kept = axes.empty() ? detail::plain(x) : reduce_sum("sum", x, {"sum", x.shape(), Axes(axes)}, 1);
  return detail::new_view(kept, shape, contiguous_strides(shape), 0);
}

// Two passes, mean and differences in float64. A row goes through both while it is in the cache.
Tensor variance(const char* op, const Tensor& x, const Reduction& over, double divisor, bool root) {
  const int64_t outer = over.outer, n = over.n, inner = over.inner;
  return reduce(op, x, over, [&]<class T>(const T* in, T* out) {
    const auto finish = [=](int64_t at, double total) {
      out[at] = T(root ? std::sqrt(total / divisor) : total / divisor);
    };
    if (inner == 1)
      return parallel_rows(outer, kernels::fold_rows(n), [=](int64_t begin, int64_t end) {
        kernels::simd([=] {
          for (int64_t at = begin; at < end; ++at) {
            const T* row = in + at * n;
            const double mu = kernels::sum_of(n, [=](int64_t i) { return double(row[i]); }) / double(n);
            finish(at, kernels::sum_of(n, [=](int64_t i) { return (double(row[i]) - mu) * (double(row[i]) - mu); }));
          }
        });
      });
    const Tensor mean = detail::new_tensor({over.results()}, float64);
    double* mu = detail::mutable_ptr<double>(mean);
    kernels::fold<double>(
        outer, n, inner, in, [](int64_t) { return 0.0; },
        [](double& total, T value, int64_t) { total += double(value); },
        [=](int64_t at, double total) { mu[at] = total / double(n); });
    struct Squares {
      double mu, total;
    };
    kernels::fold<Squares>(
        outer, n, inner, in,
        [=](int64_t at) {
          return Squares{mu[at], 0.0};
        },
        [](Squares& s, T value, int64_t) { s.total += (double(value) - s.mu) * (double(value) - s.mu); },
        [=](int64_t at, const Squares& s) { finish(at, s.total); });
  });
}

Tensor vector_norm(const Tensor& x, const Reduction& over) {
  const int64_t outer = over.outer, n = over.n;
  return reduce("norm", x, over, [&]<class T>(const T* in, T* out) {
    if (over.inner == 1)
      return parallel_rows(outer, kernels::fold_rows(n), [=](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; ++at) out[at] = T(std::sqrt(kernels::sum_of_squares(n, in + at * n)));
      });
    kernels::fold<double>(
        outer, n, over.inner, in, [](int64_t) { return 0.0; },
        [](double& total, T value, int64_t) { total += double(value) * double(value); },
        [=](int64_t at, double total) { out[at] = T(std::sqrt(total)); });
  });
}

void extremes(const char* op, Side side, const Reduction& over, const Tensor& x, const Tensor& values,
              const Tensor& indices) {
  if (over.n == 0 && over.results() > 0)
    fail<ShapeError>(op, "there must be an element to take, got {}", over.input_shape());
  const Tensor from = over.arrange(x);
  dispatch_number(op, x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* value = detail::mutable_ptr_or_null<T>(values);
    int64_t* index = detail::mutable_ptr_or_null<int64_t>(indices);
    const int64_t n = over.n, inner = over.inner;
    const int64_t grain = kernels::fold_rows(n * inner);
    parallel_rows(over.outer, grain, [=](int64_t begin, int64_t end) {
      const auto best = side == Side::largest ? kernels::max<T> : kernels::min<T>;
      best(end - begin, n, inner, in + begin * n * inner, value ? value + begin * inner : nullptr,
           index ? index + begin * inner : nullptr);
    });
  });
}

Tensor cumsum(const Tensor& x, int64_t axis, bool from_end) {
  const Tensor from = detail::plain(x);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  const Reduction over("cumsum", x.shape(), axis);
  detail::dispatch_float("cumsum", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(from);
    T* out = detail::mutable_ptr<T>(y);
    // Blocks of columns go row by row, so that memory is read in its order.
    const int64_t n = over.n, inner = over.inner, width = kernels::fold_columns;
    const int64_t blocks = (inner + width - 1) / width;
    parallel_rows(over.outer * blocks, kernels::fold_rows(n * std::min(inner, width)), [=](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t column = task % blocks * width, count = std::min(width, inner - column);
        const int64_t first = task / blocks * n * inner + column;
        double total[kernels::fold_columns] = {};
        for (int64_t k = 0; k < n; ++k) {
          const int64_t at = first + (from_end ? n - 1 - k : k) * inner;
          for (int64_t i = 0; i < count; ++i) out[at + i] = T(total[i] += double(in[at + i]));
        }
      }
    });
  });
  return y;
}

}  // namespace tapegrad::compute
