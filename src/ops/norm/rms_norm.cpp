// Root mean square normalization: layer normalization (layer_norm.cpp) that does not subtract a mean. For one
// row of d elements:
//
//   rstd = (mean(x^2) + eps)^(-1/2)     xhat = x rstd     y = xhat weight
//
// Backward, with g = dy weight. x_i moves xhat_j directly if i = j, and through
// d rstd / d x_i = -(1/d) rstd^2 xhat_i, so
//
//   dweight_j = sum over rows of dy_j xhat_j
//   dx_i      = rstd (g_i - xhat_i mean(g xhat))
//
// dx has no component along x (but for eps): stretching a row does not change xhat. Shifting it does.
//
// Saved: x, and rstd, one float64 number a row. Numerics and order of sums are layer_norm's.
//
// Source: Zhang, Sennrich (2019), Root Mean Square Layer Normalization, arXiv:1910.07467, equation 4.
#include "kernels/norm/norm.h"
#include "ops/norm/norm_rows.h"

namespace tapegrad {

namespace {

Tensor rms_norm_composed(const Tensor& x, int64_t n_axes, const Tensor& weight, double eps) {
  const Tensor wide = x.to(float64);
  const Tensor y = wide * rsqrt(mean(wide * wide, last_axes(n_axes), {.keepdim = true}) + eps);
  return (weight.defined() ? y * weight.to(float64) : y).to(x.dtype());
}

Gradients rms_norm_backward(const NormRows& size, const Tensor& dy, const Tensor& x, const Tensor& weight,
                            const Tensor& rstd, Needs needs) {
  const Tensor from_dy = detail::plain(dy), from_x = detail::plain(x), from_weight = detail::plain(weight);
  const int64_t d = size.d, grain = size.grain(), chunks = size.chunks();
  Gradients out{detail::new_tensor(x.shape(), x.dtype()), Tensor()};
  const Tensor partial = needs[1] ? zeros({chunks, d}, {.dtype = float64}) : Tensor();
  detail::dispatch_float("rms_norm", x.dtype(), [&]<class T>(T) {
    const T *dy_data = detail::ptr<T>(from_dy), *x_data = detail::ptr<T>(from_x);
    const T* weight_data = detail::ptr_or_null<T>(from_weight);
    const double* rstd_data = detail::ptr<double>(rstd);
    double* dweight = partial.defined() ? detail::mutable_ptr<double>(partial) : nullptr;
    T* dx_data = detail::mutable_ptr<T>(out[0]);
    parallel_rows(size.rows, grain, [=](int64_t begin, int64_t end) {
      const int64_t at = begin * d;
      kernels::rms_norm_backward(end - begin, d, dy_data + at, x_data + at, weight_data, rstd_data + begin,
                                 dx_data + at, dweight ? dweight + begin / grain * d : nullptr);
    });
    if (!dweight) return;
    out[1] = detail::new_tensor(weight.shape(), x.dtype());
    kernels::sum_partials(chunks, d, dweight, detail::mutable_ptr<T>(out[1]));
  });
  return out;
}

}  // namespace

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, NormOptions options) {
  const NormRows size = check_norm("rms_norm", x, normalized_shape, weight, {}, options.eps);
  const int64_t n_axes = normalized_shape.size();
  if (reference_mode()) return rms_norm_composed(x, n_axes, weight, options.eps);
  const Tensor from = detail::plain(x), from_weight = detail::plain(weight);
  Tensor y = detail::new_tensor(x.shape(), x.dtype());
  const Tensor rstd = is_recording() ? detail::new_tensor({size.rows}, float64) : Tensor();
  detail::dispatch_float("rms_norm", x.dtype(), [&]<class T>(T) {
    const T *in = detail::ptr<T>(from), *w = detail::ptr_or_null<T>(from_weight);
    T* out = detail::mutable_ptr<T>(y);
    double* r = rstd.defined() ? detail::mutable_ptr<double>(rstd) : nullptr;
    parallel_rows(size.rows, size.grain(), [=, eps = options.eps](int64_t begin, int64_t end) {
      const int64_t at = begin * size.d;
      kernels::rms_norm(end - begin, size.d, in + at, w, eps, out + at, r ? r + begin : nullptr);
    });
  });
  return record("rms_norm", y, {x, weight},
                [size, n_axes, eps = options.eps, x = Saved(x), weight = Saved(weight), rstd = Saved(rstd)](
                    const Tensor& dy, Needs needs) -> Gradients {
                  if (is_recording())
                    return replay(
                        [=](const Gradients& in) -> Gradients {
                          return {rms_norm_composed(in[0], n_axes, in[1], eps)};
                        },
                        {x, weight}, {dy});
                  return rms_norm_backward(size, dy, x, weight, rstd, needs);
                });
}

}  // namespace tapegrad
