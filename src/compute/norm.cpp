#include <algorithm>

#include "compute/fused.h"
#include "kernels/norm/norm.h"
#include "system/parallel.h"

namespace tapegrad::compute {

namespace {

// Rows in chunks of about 32768 elements, and of at most 32 chunks, because each has sums for dweight and dbias of its
// own, or 8 where rows are whole images. They depend on the shape alone, and so do the bits of these sums.
struct Rows {
  int64_t n, grain, chunks;

  Rows(const Tensor& x, int64_t d)
      : n(x.numel() / d),
        grain(std::max({int64_t(1), 32768 / d, (n + 31) / 32, d > 4096 ? (n + 7) / 8 : 1})),
        chunks((n + grain - 1) / grain) {}
};

template <class T>
T* offset(T* from, int64_t n) {
  return from ? from + n : nullptr;
}

}  // namespace

Tensor LayerNorm::forward(const Tensors& in, Tensors* kept) const {
  const Tensor x = detail::plain(in[0]), weight = detail::plain(in[1]),
               bias = centered ? detail::plain(in[2]) : Tensor();
  const Rows rows(x, d);
  const Tensor y = detail::new_tensor(x.shape(), x.dtype());
  const auto keep = [&](bool wanted) {
    if (!wanted) return static_cast<double*>(nullptr);
    kept->push_back(detail::new_tensor({rows.n}, float64));
    return detail::mutable_ptr<double>(kept->back());
  };
  double *rstd = keep(kept), *mu = keep(kept && centered);
  detail::dispatch_float(centered ? "layer_norm" : "rms_norm", x.dtype(), [&]<class T>(T) {
    const T *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight), *b = detail::ptr_or_null<T>(bias);
    T* to = detail::mutable_ptr<T>(y);
    parallel_rows(rows.n, rows.grain, [=, *this](int64_t begin, int64_t end) {
      const int64_t n = end - begin, at = begin * d;
      if (centered)
        kernels::layer_norm(n, d, from + at, w, b, eps, to + at, offset(mu, begin), offset(rstd, begin));
      else
        kernels::rms_norm(n, d, from + at, w, eps, to + at, offset(rstd, begin));
    });
  });
  return y;
}

Gradients LayerNorm::backward(const Tensors& dys, const Tensors& in, const Tensors& kept, Needs needs) const {
  const Tensor dy = detail::plain(dys[0]), x = detail::plain(in[0]), weight = detail::plain(in[1]);
  const Rows rows(x, d);
  const auto wanted = [&](size_t i) { return i < in.size() && needs[i] && in[i].defined(); };
  // The sums of each chunk for weight and bias, added up in the order of the chunks.
  const Tensor partial =
      wanted(1) || wanted(2) ? zeros({int64_t(in.size()) - 1, rows.chunks, d}, {.dtype = float64}) : Tensor();
  Gradients out;
  out.resize(in.size());
  out[0] = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float("layer_norm", x.dtype(), [&]<class T>(T) {
    const T *g = detail::ptr<T>(dy), *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight);
    const double *rstd = detail::ptr<double>(kept[0]), *mu = centered ? detail::ptr<double>(kept[1]) : nullptr;
    T* dx = detail::mutable_ptr<T>(out[0]);
    double *dweight = detail::mutable_ptr_or_null<double>(partial), *dbias = offset(dweight, rows.chunks * d);
    parallel_rows(rows.n, rows.grain, [=, *this](int64_t begin, int64_t end) {
      const int64_t n = end - begin, at = begin * d, part = begin / rows.grain * d;
      if (centered)
        kernels::layer_norm_backward(n, d, g + at, from + at, w, mu + begin, rstd + begin, dx + at,
                                     offset(dweight, part), offset(dbias, part));
      else
        kernels::rms_norm_backward(n, d, g + at, from + at, w, rstd + begin, dx + at, offset(dweight, part));
    });
    for (size_t i : {1, 2}) {
      if (!wanted(i)) continue;
      out[i] = detail::new_tensor(in[i].shape(), in[i].dtype());
      kernels::sum_partials(rows.chunks, d, i == 1 ? dweight : dbias, detail::mutable_ptr<T>(out[i]));
    }
  });
  return out;
}

}  // namespace tapegrad::compute
