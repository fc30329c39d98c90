// Layer normalization, forward and backward.
//
// For one row x of d elements:
//
//   mu   = (1/d) sum_j x_j                              the row's mean
//   var  = (1/d) sum_j (x_j - mu)^2                     its biased variance
//   rstd = (var + eps)^(-1/2)
//   xhat_j = (x_j - mu) rstd                            mean 0, variance 1 (but for eps)
//   y_j    = xhat_j weight_j + bias_j
//
// Backward. Given dy, the gradient of the loss with respect to y, over all rows n:
//
//   dbias_j   = sum_n dy_nj                             y_j depends on bias_j with slope 1
//   dweight_j = sum_n dy_nj xhat_nj                     and on weight_j with slope xhat_j
//   g_j       = dy_j weight_j                           what reaches xhat_j
//
// An element x_i moves xhat_j in three ways: directly if i = j, through mu, and through rstd.
//
//   d mu / d x_i   = 1/d
//   d var / d x_i  = (2/d) (x_i - mu)                   mu's own part vanishes: sum_j (x_j - mu) = 0
//   d rstd / d x_i = -1/2 (var + eps)^(-3/2) d var / d x_i = -(1/d) rstd^2 xhat_i
//
//   d xhat_j / d x_i = rstd ([i = j] - 1/d) + (x_j - mu) d rstd / d x_i
//                    = rstd ([i = j] - 1/d - (1/d) xhat_j xhat_i)
//
// Summed over j with weights g_j:
//
//   dx_i = rstd (g_i - mean(g) - xhat_i mean(g xhat))
//
// Read it geometrically: the gradient loses its component along the vector of ones and its component along
// xhat. Those are the directions in which a row can move without changing xhat: shifting it and stretching
// it. So sum_i dx_i = 0 always, and sum_i dx_i xhat_i = 0 but for eps. With dy = 1 and equal weights all of
// dx is zero: the sum of a normalized row is constant.
//
// Saved: x, and mu and rstd, two float64 numbers a row. xhat is computed again from them: cheaper than
// reading another array of x's size from memory. y could serve in place of x only where no weight is zero.
//
// Numerics: float64 sums and differences, also for float32 (src/kernels/norm/layer_norm.cpp). In parallel, each
// chunk of rows has its own sums for dweight and dbias, added up in the order of the chunks.
//
// Source: Ba, Kiros, Hinton (2016), Layer Normalization, arXiv:1607.06450, equation 3.
#include "kernels/norm/norm.h"
#include "ops/norm/norm_rows.h"

namespace tapegrad {

namespace {

// The definition, word by word, in float64.
Tensor layer_norm_composed(const Tensor& x, int64_t n_axes, const Tensor& weight, const Tensor& bias,
                           double eps) {
  const Axes axes = last_axes(n_axes);
  const Tensor wide = x.to(float64);
  const Tensor centered = wide - mean(wide, axes, {.keepdim = true});
  const Tensor var = mean(centered * centered, axes, {.keepdim = true});
  Tensor y = centered * rsqrt(var + eps);
  if (weight.defined()) y = y * weight.to(float64);
  if (bias.defined()) y = y + bias.to(float64);
  return y.to(x.dtype());
}

// Bias and weight get their sums from one buffer of float64, [chunks, 2, d], in the order of the chunks.
Gradients layer_norm_backward(const NormRows& size, int64_t n_axes, const Tensor& dy, const Tensor& x,
                              const Tensor& weight, const Tensor& mean, const Tensor& rstd, Needs needs) {
  const Tensor from_dy = detail::plain(dy), from_x = detail::plain(x), from_weight = detail::plain(weight);
  const int64_t d = size.d, grain = size.grain(), chunks = size.chunks();
  const bool sums = needs[1] || needs[2];
  const Shape parameter_shape(std::span(x.shape().end() - n_axes, size_t(n_axes)));
  Gradients out{detail::new_tensor(x.shape(), x.dtype()), Tensor(), Tensor()};
  const Tensor partial = sums ? zeros({2, chunks, d}, {.dtype = float64}) : Tensor();
  detail::dispatch_float("layer_norm", x.dtype(), [&]<class T>(T) {
    const T *dy_data = detail::ptr<T>(from_dy), *x_data = detail::ptr<T>(from_x);
    const T* weight_data = detail::ptr_or_null<T>(from_weight);
    const double *mean_data = detail::ptr<double>(mean), *rstd_data = detail::ptr<double>(rstd);
    double* dweight = sums ? detail::mutable_ptr<double>(partial) : nullptr;
    double* dbias = sums ? dweight + chunks * d : nullptr;
    T* dx_data = detail::mutable_ptr<T>(out[0]);
    parallel_rows(size.rows, grain, [=](int64_t begin, int64_t end) {
      const int64_t at = begin * d, part = begin / grain * d;
      kernels::layer_norm_backward(end - begin, d, dy_data + at, x_data + at, weight_data, mean_data + begin,
                                   rstd_data + begin, dx_data + at, sums ? dweight + part : nullptr,
                                   sums ? dbias + part : nullptr);
    });
    for (size_t i = 1; i <= 2; ++i) {
      if (!needs[i]) continue;
      out[i] = detail::new_tensor(parameter_shape, x.dtype());
      kernels::sum_partials(chunks, d, i == 1 ? dweight : dbias, detail::mutable_ptr<T>(out[i]));
    }
  });
  return out;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias,
                  NormOptions options) {
  const NormRows size = check_norm("layer_norm", x, normalized_shape, weight, bias, options.eps);
  const int64_t n_axes = normalized_shape.size();
  if (reference_mode()) return layer_norm_composed(x, n_axes, weight, bias, options.eps);
  const Tensor from = detail::plain(x), from_weight = detail::plain(weight), from_bias = detail::plain(bias);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  Tensor mean, rstd;
  if (is_recording()) {
    mean = detail::new_tensor({size.rows}, float64);
    rstd = detail::new_tensor({size.rows}, float64);
  }
  detail::dispatch_float("layer_norm", x.dtype(), [&]<class T>(T) {
    const T *in = detail::ptr<T>(from), *w = detail::ptr_or_null<T>(from_weight),
            *b = detail::ptr_or_null<T>(from_bias);
    T* out = detail::mutable_ptr<T>(y);
    double* mu = mean.defined() ? detail::mutable_ptr<double>(mean) : nullptr;
    double* r = rstd.defined() ? detail::mutable_ptr<double>(rstd) : nullptr;
    parallel_rows(size.rows, size.grain(), [=, eps = options.eps](int64_t begin, int64_t end) {
      kernels::layer_norm(end - begin, size.d, in + begin * size.d, w, b, eps, out + begin * size.d,
                          mu ? mu + begin : nullptr, r ? r + begin : nullptr);
    });
  });
  return record("layer_norm", y, {x, weight, bias},
                [size, n_axes, eps = options.eps, x = Saved(x), weight = Saved(weight), bias = Saved(bias),
                 mean = Saved(mean), rstd = Saved(rstd)](const Tensor& dy, Needs needs) -> Gradients {
                  if (is_recording())
                    return replay(
                        [=](const Gradients& in) -> Gradients {
                          return {layer_norm_composed(in[0], n_axes, in[1], in[2], eps)};
                        },
                        {x, weight, bias}, {dy});
                  return layer_norm_backward(size, n_axes, dy, x, weight, mean, rstd, needs);
                });
}

}  // namespace tapegrad
