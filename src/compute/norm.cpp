#include "compute/norm.h"

#include <algorithm>

#include "kernels/norm/norm.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

namespace {

// Rows in chunks of about 32768 elements, and of at most 32 chunks, because each has sums for dweight and dbias of its
// own. They depend on the shape alone, and so do the bits of these sums.
struct Rows {
  int64_t n, d, grain, chunks;

  Rows(const Tensor& x, int64_t d)
      : n(x.numel() / d),
        d(d),
        grain(std::max({int64_t(1), 32768 / d, (n + 31) / 32})),
        chunks((n + grain - 1) / grain) {}
};

// kernel(rows, x, weight, y, first row) for chunks of the rows.
template <class Kernel>
Tensor forward_rows(const char* op, const Rows& rows, const Tensors& in, Kernel kernel) {
  const Tensor x = detail::plain(in[0]), weight = detail::plain(in[1]);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    const T *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight);
    T* to = detail::mutable_ptr<T>(y);
    parallel_rows(rows.n, rows.grain, [=, d = rows.d](int64_t begin, int64_t end) {
      kernel(end - begin, from + begin * d, w, to + begin * d, begin);
    });
  });
  return y;
}

// kernel(rows, dy, x, weight, dx, sums, first row) for chunks of the rows; `sums` is the chunk's own for each parameter,
// or null where no parameter needs a gradient. They are added up in the order of the chunks.
template <class Kernel>
Gradients backward_rows(const char* op, const Rows& rows, const Tensor& dy, const Tensors& in, Needs needs,
                        Kernel kernel) {
  const Tensor from_dy = detail::plain(dy), from_x = detail::plain(in[0]), from_weight = detail::plain(in[1]);
  const auto wanted = [&](size_t i) { return needs[i] && in[i].defined(); };
  const int64_t parameters = int64_t(in.size()) - 1, part = rows.chunks * rows.d;
  const bool summed = wanted(1) || (parameters == 2 && wanted(2));
  const Tensor partial = summed ? zeros({parameters, rows.chunks, rows.d}, {.dtype = float64}) : Tensor();
  Gradients out;
  out.resize(in.size());
  out[0] = detail::new_tensor(in[0].shape(), in[0].dtype());
  detail::dispatch_float(op, in[0].dtype(), [&]<class T>(T) {
    const T *g = detail::ptr<T>(from_dy), *x = detail::ptr<T>(from_x);
    const T* w = detail::ptr_or_null<T>(from_weight);
    T* dx = detail::mutable_ptr<T>(out[0]);
    double* sums = detail::mutable_ptr_or_null<double>(partial);
    parallel_rows(rows.n, rows.grain, [=, d = rows.d, grain = rows.grain](int64_t begin, int64_t end) {
      const int64_t at = begin * d;
      kernel(end - begin, g + at, x + at, w, dx + at, sums ? sums + begin / grain * d : nullptr, begin);
    });
    for (size_t i = 1; i < in.size(); ++i) {
      if (!wanted(i)) continue;
      out[i] = detail::new_tensor(in[i].shape(), in[i].dtype());
      kernels::sum_partials(rows.chunks, rows.d, sums + int64_t(i - 1) * part,
                            detail::mutable_ptr<T>(out[i]));
    }
  });
  return out;
}

// Memory for one float64 number a row, kept for the backward pass; null where nothing is.
double* keep(const Rows& rows, Tensors* kept) {
  if (!kept) return nullptr;
  kept->push_back(detail::new_tensor({rows.n}, float64));
  return detail::mutable_ptr<double>(kept->back());
}

double* row_or_null(double* numbers, int64_t row) {
  return numbers ? numbers + row : nullptr;
}

}  // namespace

Tensor LayerNorm::forward(const Tensors& in, Tensors* kept) const {
  const Rows rows(in[0], d);
  const Tensor bias = detail::plain(in[2]);
  double *mu = keep(rows, kept), *rstd = keep(rows, kept);
  return forward_rows(
      "layer_norm", rows, in,
      [&bias, mu, rstd, *this]<class T>(int64_t n, const T* x, const T* w, T* y, int64_t row) {
        kernels::layer_norm(n, d, x, w, detail::ptr_or_null<T>(bias), eps, y, row_or_null(mu, row),
                            row_or_null(rstd, row));
      });
}

Gradients LayerNorm::backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const {
  const Rows rows(in[0], d);
  const double *mu = detail::ptr<double>(kept[0]), *rstd = detail::ptr<double>(kept[1]);
  return backward_rows("layer_norm", rows, dy[0], in, needs,
                       [=, d = d](int64_t n, const auto* dy, const auto* x, const auto* w, auto* dx,
                                  double* sums, int64_t row) {
                         kernels::layer_norm_backward(n, d, dy, x, w, mu + row, rstd + row, dx, sums,
                                                      sums ? sums + rows.chunks * d : nullptr);
                       });
}

Tensor RmsNorm::forward(const Tensors& in, Tensors* kept) const {
  const Rows rows(in[0], d);
  double* rstd = keep(rows, kept);
  return forward_rows("rms_norm", rows, in,
                      [rstd, *this](int64_t n, const auto* x, const auto* w, auto* y, int64_t row) {
                        kernels::rms_norm(n, d, x, w, eps, y, row_or_null(rstd, row));
                      });
}

Gradients RmsNorm::backward(const Tensors& dy, const Tensors& in, const Tensors& kept, Needs needs) const {
  const double* rstd = detail::ptr<double>(kept[0]);
  return backward_rows(
      "rms_norm", {in[0], d}, dy[0], in, needs,
      [rstd, d = d](int64_t n, const auto* dy, const auto* x, const auto* w, auto* dx, double* dweight,
                    int64_t row) { kernels::rms_norm_backward(n, d, dy, x, w, rstd + row, dx, dweight); });
}

}  // namespace tapegrad::compute
