#include <algorithm>
#include <cmath>

#include "compute/fused.h"
#include "kernels/norm/norm.h"
#include "system/parallel.h"

namespace tapegrad::compute {

namespace {

// An image is a batch of one to the kernels of batch normalization, and a group is some of its channels.
struct Images {
  int64_t n, c, l;

  explicit Images(const Tensor& x) : n(x.size(0)), c(x.size(1)), l(1) {
    for (int64_t i = 2; i < x.dim(); ++i) l *= x.size(i);
  }
  kernels::Channels image() const { return {1, c, l, 0, 1, 0, c}; }

  // body(image number), in parallel.
  template <class F>
  void each(const F& body) const {
    if (c * l == 0) return;
    parallel_rows(n, 32768 / (c * l), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    });
  }
};

}  // namespace

// With the sum of d = x - pivot and of d^2 of each channel, the variance of a group is that within its channels and that
// of their means (Chan, Golub, LeVeque 1983).
Tensor GroupNorm::forward(const Tensors& in, Tensors* kept) const {
  const Tensor x = detail::plain(in[0]), weight = detail::plain(in[1]), bias = detail::plain(in[2]);
  const Images images(x);
  const Tensor y = detail::new_tensor(x.shape(), x.dtype());
  const Tensor mean = detail::new_tensor({images.n, images.c}, float64),
               rstd = detail::new_tensor({images.n, images.c}, float64);
  detail::dispatch_float("group_norm", x.dtype(), [&]<class T>(T) {
    const T *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight), *b = detail::ptr_or_null<T>(bias);
    double *means = detail::mutable_ptr<double>(mean), *rstds = detail::mutable_ptr<double>(rstd);
    T* to = detail::mutable_ptr<T>(y);
    images.each([=, *this](int64_t i) {
      const int64_t l = images.l, size = images.c / groups;
      const T* image = from + i * images.c * l;
      double *mu = means + i * images.c, *r = rstds + i * images.c;
      kernels::batch_norm_sums(images.image(), image, mu, r);
      for (int64_t g = 0; g < images.c; g += size) {
        double total = 0, squares = 0;
        for (int64_t c = g; c < g + size; ++c) {
          const double shift = mu[c] / double(l);
          squares += r[c] - mu[c] * shift;
          mu[c] = double(image[c * l]) + shift;
          total += mu[c] / double(size);
        }
        for (int64_t c = g; c < g + size; ++c) squares += double(l) * (mu[c] - total) * (mu[c] - total);
        std::fill(mu + g, mu + g + size, total);
        std::fill(r + g, r + g + size, 1 / std::sqrt(squares / double(l * size) + eps));
      }
      kernels::batch_norm_apply(images.image(), image, mu, r, w, b, false, to + i * images.c * l);
    });
  });
  if (kept) *kept = {mean, rstd};
  return y;
}

Gradients GroupNorm::backward(const Tensors& dys, const Tensors& in, const Tensors& kept, Needs needs) const {
  const Tensor dy = detail::plain(dys[0]), x = detail::plain(in[0]), weight = detail::plain(in[1]);
  const Images images(x);
  const Tensor dx = detail::new_tensor(x.shape(), x.dtype());
  // Of each channel of each image: sum dy xhat and sum dy, and the coefficients of dx.
  const Tensor sums = zeros({5, images.n, images.c}, {.dtype = float64});
  Gradients out{dx, Tensor(), Tensor()};
  detail::dispatch_float("group_norm", x.dtype(), [&]<class T>(T) {
    const T *g_y = detail::ptr<T>(dy), *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight);
    const double *means = detail::ptr<double>(kept[0]), *rstds = detail::ptr<double>(kept[1]);
    double* of_all = detail::mutable_ptr<double>(sums);
    T* to = detail::mutable_ptr<T>(dx);
    const int64_t all = images.n * images.c;
    images.each([=, *this](int64_t i) {
      const int64_t at = i * images.c, l = images.l, size = images.c / groups;
      const double *mu = means + at, *r = rstds + at, part = 1 / double(l * size);
      double *dyx = of_all + at, *sum_dy = dyx + all, *scale = sum_dy + all, *slope = scale + all, *shift = slope + all;
      kernels::batch_norm_backward_sums<T>(images.image(), g_y + at * l, nullptr, from + at * l, mu, dyx, sum_dy);
      for (int64_t g = 0; g < images.c; g += size) {
        double mean_gx = 0, mean_g = 0;
        for (int64_t c = g; c < g + size; ++c) {
          const double gain = w ? double(w[c]) : 1;
          dyx[c] *= r[c];
          scale[c] = gain * r[c];
          mean_gx += gain * dyx[c] * part;
          mean_g += gain * sum_dy[c] * part;
        }
        std::fill(slope + g, slope + g + size, r[g] * r[g] * mean_gx);
        std::fill(shift + g, shift + g + size, r[g] * mean_g);
      }
      kernels::channel_gradient(images.image(), g_y + at * l, from + at * l, mu, scale, slope, shift, to + at * l);
    });
    for (size_t i : {1, 2}) {
      if (!needs[i] || !in[i].defined()) continue;
      out[i] = detail::new_tensor(in[i].shape(), in[i].dtype());
      kernels::sum_partials(images.n, images.c, i == 1 ? of_all : of_all + all, detail::mutable_ptr<T>(out[i]));
    }
  });
  return out;
}

}  // namespace tapegrad::compute
