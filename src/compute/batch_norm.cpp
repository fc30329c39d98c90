#include <algorithm>
#include <cmath>

#include "compute/arrays.h"
#include "compute/fused.h"
#include "kernels/norm/norm.h"
#include "system/parallel.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

namespace {

// The input as [n, c, l] in blocks of rows of the batch and of channels, fixed by its shape. A channel that is a column
// has up to 32 blocks of at least 64 rows, and their rows are 1024 channels long, for memory is fast when it
// is read in order; the sums of a block of rows are a part of their own. Otherwise a block has all rows.
struct Blocks {
  kernels::Channels whole;
  int64_t rows, channels;

  explicit Blocks(const Tensor& x) {
    const int64_t n = x.size(0), c = x.size(1);
    int64_t l = 1;
    for (int64_t i = 2; i < x.dim(); ++i) l *= x.size(i);
    whole = {n, c, l, 0, n, 0, c};
    const bool columns = l == 1;
    rows = columns ? std::max<int64_t>(64, (n + 31) / 32) : std::max<int64_t>(n, 1);
    channels = columns ? 1024 : std::max<int64_t>(32768 / std::max<int64_t>(rows * l, 1), 1);
  }
  int64_t parts() const { return (whole.n + rows - 1) / rows; }

  // body(block, part), in parallel.
  template <class F>
  void each(const F& body) const {
    const int64_t across = (whole.c + channels - 1) / channels;
    if (parts() * across == 0) return;
    parallel_for(parts() * across, [this, across, &body](int64_t i) {
      kernels::Channels block = whole;
      const int64_t part = i / across;
      block.first = part * rows;
      block.last = std::min(block.first + rows, whole.n);
      block.begin = i % across * channels;
      block.end = std::min(block.begin + channels, whole.c);
      body(block, part);
    });
  }
};

// rstd from the variance that stands in its place.
ChannelMoments with_rstd(const Tensor& mean, const Tensor& variance, double eps) {
  double* rstd = detail::mutable_ptr<double>(variance);
  for (int64_t c = 0; c < variance.numel(); ++c) rstd[c] = 1 / std::sqrt(rstd[c] + eps);
  return {mean, variance};
}

template <class T>
void move_running(Tensor running, const Tensor& batch, double momentum, double factor) {
  T* to = running.mutable_data<T>().data();
  const double* from = detail::ptr<double>(batch);
  for (int64_t c = 0; c < running.numel(); ++c) to[c] = T((1 - momentum) * double(to[c]) + momentum * factor * from[c]);
}

}  // namespace

ChannelMoments batch_moments(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, double momentum,
                             double eps, bool biased) {
  const Blocks blocks(x);
  const int64_t c = blocks.whole.c, m = blocks.whole.n * blocks.whole.l, parts = blocks.parts();
  if (m == 0) return with_rstd(zeros({c}, {.dtype = float64}), ones({c}, {.dtype = float64}), eps);
  const Tensor mean = detail::new_tensor({c}, float64), variance = detail::new_tensor({c}, float64);
  const Tensor partial = detail::new_tensor({2, parts, c}, float64);
  detail::dispatch_float("batch_norm", x.dtype(), [&]<class T>(T) {
    const T* in = detail::ptr<T>(x);
    double *sums = detail::mutable_ptr<double>(partial), *squares = sums + parts * c;
    blocks.each([=](const kernels::Channels& block, int64_t part) {
      kernels::batch_norm_sums(block, in, sums + part * c, squares + part * c);
    });
    kernels::batch_norm_stats(blocks.whole, parts, in, sums, squares, detail::mutable_ptr<double>(mean),
                              detail::mutable_ptr<double>(variance));
    if (!running_mean.defined()) return;
    move_running<T>(running_mean, mean, momentum, 1);
    move_running<T>(running_var, variance, momentum, biased ? 1 : double(m) / double(m - 1));
  });
  return with_rstd(mean, variance, eps);
}

ChannelMoments running_moments(const Tensor& running_mean, const Tensor& running_var, double eps) {
  return with_rstd(convert(running_mean, float64), convert(running_var, float64), eps);
}

Tensor BatchNorm::forward(const Tensors& in, Tensors* kept) const {
  const Tensor &x = in[0], weight = detail::plain(in[1]), bias = detail::plain(in[2]);
  const Blocks blocks(x);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float("batch_norm", x.dtype(), [&]<class T>(T) {
    const T *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight), *b = detail::ptr_or_null<T>(bias);
    const double *mu = detail::ptr<double>(in[3]), *r = detail::ptr<double>(in[4]);
    T* to = detail::mutable_ptr<T>(y);
    blocks.each([=, relu = relu](const kernels::Channels& block, int64_t) {
      kernels::batch_norm_apply(block, from, mu, r, w, b, relu, to);
    });
  });
  if (kept && relu) *kept = {y};
  return y;
}

Gradients BatchNorm::backward(const Tensors& dys, const Tensors& in, const Tensors& kept, Needs needs) const {
  const Tensor dy = detail::plain(dys[0]), &x = in[0], weight = detail::plain(in[1]);
  const Blocks blocks(x);
  const int64_t c = blocks.whole.c, parts = blocks.parts();
  const Tensor dweight = detail::new_tensor({c}, float64), dbias = detail::new_tensor({c}, float64);
  const Tensor partial = detail::new_tensor({2, parts, c}, float64);
  const Tensor dx = detail::new_tensor(x.shape(), x.dtype());
  const Tensor zero = training ? Tensor() : zeros({c}, {.dtype = float64});
  detail::dispatch_float("batch_norm", dx.dtype(), [&]<class T>(T) {
    const T *dy_of_y = detail::ptr<T>(dy), *y = relu ? detail::ptr<T>(kept[0]) : nullptr;
    const T *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight);
    const double *mu = detail::ptr<double>(in[3]), *r = detail::ptr<double>(in[4]);
    const double* no_mean = detail::ptr_or_null<double>(zero);
    double *sum_w = detail::mutable_ptr<double>(dweight), *sum_b = detail::mutable_ptr<double>(dbias);
    double *part_w = detail::mutable_ptr<double>(partial), *part_b = part_w + parts * c;
    T* out = detail::mutable_ptr<T>(dx);
    const T* g = y ? out : dy_of_y;  // relu's gradient stands where dx will
    blocks.each([=](const kernels::Channels& block, int64_t part) {
      if (y) kernels::batch_norm_rectify(block, dy_of_y, y, out);
      kernels::batch_norm_backward_sums(block, g, from, mu, part_w + part * c, part_b + part * c);
    });
    kernels::sum_partials(parts, c, part_w, sum_w);
    kernels::sum_partials(parts, c, part_b, sum_b);
    for (int64_t i = 0; i < c; ++i) sum_w[i] *= r[i];
    blocks.each([=, training = training](const kernels::Channels& block, int64_t) {
      if (training)
        kernels::batch_norm_backward(block, g, from, mu, r, w, sum_w, sum_b, out);
      else
        kernels::batch_norm_apply(block, g, no_mean, r, w, static_cast<const T*>(nullptr), false, out);
    });
  });
  return {dx, needs[1] ? convert(dweight, dx.dtype()) : Tensor(), needs[2] ? convert(dbias, dx.dtype()) : Tensor(),
          Tensor(), Tensor()};
}

}  // namespace tapegrad::compute
