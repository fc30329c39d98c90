// Batch normalization of x as [n, c, l]: batch, channels, positions. For one channel, whose m = n l elements
// the sums go over:
//
//   training     mu = (1/m) sum x     var = (1/m) sum (x - mu)^2
//                running_mean = (1 - momentum) running_mean + momentum mu
//                running_var  = (1 - momentum) running_var  + momentum var m / (m - 1)
//   evaluation   mu = running_mean    var = running_var
//
//   xhat = (x - mu) rstd, rstd = (var + eps)^(-1/2)     y = xhat weight + bias
//
// Backward:
//
//   dbias = sum dy     dweight = sum dy xhat
//   training     a channel is what a row is in layer normalization (the derivation is in layer_norm.cpp), and
//                weight is one number for it: dx = weight rstd (dy - dbias / m - xhat dweight / m)
//   evaluation   mu and rstd are constants: dx = dy weight rstd
//
// Saved: x, and mu and rstd in float64, of the channels. The running statistics are no part of the graph: a
// later batch may move them before this one goes backward.
//
// The running variance is unbiased (m - 1), the one that normalizes is not (m), as in PyTorch.
//
// Source: Ioffe, Szegedy (2015), Batch Normalization, arXiv:1502.03167, algorithms 1 and 2.
#include <cmath>

#include "kernels/norm/norm.h"
#include "ops/norm/norm_rows.h"

namespace tapegrad {

namespace {

kernels::Channels channels_of(const Tensor& x) {
  const int64_t n = x.shape()[0], c = x.shape()[1];
  int64_t l = 1;
  for (int64_t i = 2; i < x.dim(); ++i) l *= x.shape()[i];
  return {n, c, l, 0, n, 0, c};
}

// The input in blocks of rows of the batch and of channels, fixed by its shape. A channel that is a column
// has up to 32 blocks of at least 64 rows, and their rows are 1024 channels long, for memory is fast when it
// is read in order; the sums of a block of rows are a part of their own. Otherwise a block has all rows.
struct Blocks {
  kernels::Channels whole;
  int64_t rows, channels;

  explicit Blocks(const Tensor& x) : whole(channels_of(x)) {
    const bool columns = whole.l == 1;
    rows = columns ? std::max<int64_t>(64, (whole.n + 31) / 32) : std::max<int64_t>(whole.n, 1);
    channels = columns ? 1024 : std::max<int64_t>(32768 / std::max<int64_t>(rows * whole.l, 1), 1);
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

void check_channel_vector(const char* name, const Tensor& x, const Tensor& vector) {
  if (!vector.defined()) return;
  if (vector.shape() != Shape{x.shape()[1]})
    fail<ShapeError>("batch_norm", "{} must be [{}] for input {}, got {}", name, x.shape()[1], x.shape(),
                     vector.shape());
  check_same_dtype("batch_norm", x, vector);
}

void check(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
           const Tensor& bias, const BatchNormOptions& options) {
  if (x.dim() < 2) fail<ShapeError>("batch_norm", "input must be [N, C] or [N, C, ...], got {}", x.shape());
  check_floating("batch_norm", x);
  check_channel_vector("running_mean", x, running_mean);
  check_channel_vector("running_var", x, running_var);
  check_channel_vector("weight", x, weight);
  check_channel_vector("bias", x, bias);
  if (!(options.eps >= 0)) fail<ValueError>("batch_norm", "eps must be at least 0, got {}", options.eps);
  if (!(options.momentum >= 0 && options.momentum <= 1))
    fail<ValueError>("batch_norm", "momentum must be in [0, 1], got {}", options.momentum);
  if (running_mean.defined() != running_var.defined())
    fail<ValueError>("batch_norm", "running_mean and running_var go together, got one of them");
  if (!options.training && !running_mean.defined())
    fail<ValueError>("batch_norm",
                     "evaluation needs running_mean and running_var. Hint: {{.training = true}} "
                     "uses the statistics of the batch");
  const kernels::Channels size = channels_of(x);
  if (options.training && size.n * size.l == 1)
    fail<ValueError>("batch_norm",
                     "training needs more than one value in a channel, got input {}. Hint: a last batch of "
                     "one is left out by DataLoader's {{.drop_last = true}}; call eval() to evaluate",
                     x.shape());
}

template <class T>
void move_running(const Tensor& running, const Tensor& batch, double momentum, double factor) {
  T* to = Tensor(running).mutable_data<T>().data();
  const double* from = detail::ptr<double>(batch);
  for (int64_t c = 0; c < running.numel(); ++c)
    to[c] = T((1 - momentum) * double(to[c]) + momentum * factor * from[c]);
}

// mean and rstd of the channels, in float64; in training the running ones move.
void statistics(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                const BatchNormOptions& options, const Tensor& mean, const Tensor& rstd) {
  const Blocks blocks(x);
  const kernels::Channels size = blocks.whole;
  const int64_t m = size.n * size.l;
  double *mu = detail::mutable_ptr<double>(mean), *r = detail::mutable_ptr<double>(rstd);
  detail::dispatch_float("batch_norm", x.dtype(), [&]<class T>(T) {
    if (options.training && m > 0) {
      const T* in = detail::ptr<T>(x);
      const Tensor partial = detail::new_tensor({2, blocks.parts(), size.c}, float64);
      double *sums = detail::mutable_ptr<double>(partial), *squares = sums + blocks.parts() * size.c;
      blocks.each([=](const kernels::Channels& block, int64_t part) {
        kernels::batch_norm_sums(block, in, sums + part * size.c, squares + part * size.c);
      });
      kernels::batch_norm_stats(size, blocks.parts(), in, sums, squares, mu, r);
      if (running_mean.defined()) {
        move_running<T>(running_mean, mean, options.momentum, 1);
        move_running<T>(running_var, rstd, options.momentum, double(m) / double(m - 1));
      }
    } else if (!options.training) {
      std::copy_n(detail::ptr<T>(detail::plain(running_mean)), size.c, mu);
      std::copy_n(detail::ptr<T>(detail::plain(running_var)), size.c, r);
    } else {
      std::fill_n(mu, size.c, 0.0);
      std::fill_n(r, size.c, 1.0);
    }
  });
  for (int64_t c = 0; c < size.c; ++c) r[c] = 1 / std::sqrt(r[c] + options.eps);
}

// [C] as it stands in x.
Tensor along_channels(const Tensor& vector, const Tensor& x) {
  Shape shape{vector.numel()};
  for (int64_t i = 2; i < x.dim(); ++i) shape.push_back(1);
  return vector.reshape(shape);
}

// mean and rstd are what evaluation takes for constants; undefined in training.
Tensor batch_norm_composed(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& mean,
                           const Tensor& rstd, double eps) {
  Shape over{0};
  for (int64_t i = 2; i < x.dim(); ++i) over.push_back(i);
  const Tensor wide = x.to(float64);
  Tensor y;
  if (mean.defined()) {
    y = (wide - along_channels(mean, x)) * along_channels(rstd, x);
  } else {
    const Tensor centered = wide - tapegrad::mean(wide, Axes(over), {.keepdim = true});
    y = centered * rsqrt(tapegrad::mean(centered * centered, Axes(over), {.keepdim = true}) + eps);
  }
  if (weight.defined()) y = y * along_channels(weight.to(float64), x);
  if (bias.defined()) y = y + along_channels(bias.to(float64), x);
  return y.to(x.dtype());
}

Tensor narrowed(const Tensor& sums, Dtype dtype) {
  return dtype == float64 ? sums : sums.to(dtype);
}

Gradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                              const Tensor& rstd, bool training, Needs needs) {
  const Blocks blocks(x);
  const int64_t c = blocks.whole.c, parts = blocks.parts();
  const Tensor from_dy = detail::plain(dy), from_x = detail::plain(x), from_weight = detail::plain(weight);
  const Tensor dweight = detail::new_tensor({c}, float64), dbias = detail::new_tensor({c}, float64);
  const Tensor partial = detail::new_tensor({2, parts, c}, float64);
  const Tensor dx = detail::new_tensor(x.shape(), x.dtype());
  const Tensor zero = training ? Tensor() : zeros({c}, {.dtype = float64});
  detail::dispatch_float("batch_norm", x.dtype(), [&]<class T>(T) {
    const T *g = detail::ptr<T>(from_dy), *in = detail::ptr<T>(from_x),
            *w = detail::ptr_or_null<T>(from_weight);
    const double *mu = detail::ptr<double>(mean), *r = detail::ptr<double>(rstd);
    const double* no_mean = training ? nullptr : detail::ptr<double>(zero);
    double *sum_w = detail::mutable_ptr<double>(dweight), *sum_b = detail::mutable_ptr<double>(dbias);
    double *part_w = detail::mutable_ptr<double>(partial), *part_b = part_w + parts * c;
    T* out = detail::mutable_ptr<T>(dx);
    blocks.each([=](const kernels::Channels& block, int64_t part) {
      kernels::batch_norm_backward_sums(block, g, in, mu, part_w + part * c, part_b + part * c);
    });
    kernels::sum_partials(parts, c, part_w, sum_w);
    kernels::sum_partials(parts, c, part_b, sum_b);
    for (int64_t i = 0; i < c; ++i) sum_w[i] *= r[i];
    blocks.each([=](const kernels::Channels& block, int64_t) {
      if (training)
        kernels::batch_norm_backward(block, g, in, mu, r, w, sum_w, sum_b, out);
      else
        kernels::batch_norm_apply(block, g, no_mean, r, w, static_cast<const T*>(nullptr), out);
    });
  });
  return {dx, needs[1] ? narrowed(dweight, x.dtype()) : Tensor(),
          needs[2] ? narrowed(dbias, x.dtype()) : Tensor()};
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, BatchNormOptions options) {
  check(x, running_mean, running_var, weight, bias, options);
  const Tensor from = detail::plain(x), from_weight = detail::plain(weight), from_bias = detail::plain(bias);
  const Blocks blocks(x);
  const Shape vector{blocks.whole.c};
  const Tensor mean = detail::new_tensor(vector, float64), rstd = detail::new_tensor(vector, float64);
  statistics(from, running_mean, running_var, options, mean, rstd);
  const Tensor constant_mean = options.training ? Tensor() : mean;
  if (reference_mode()) return batch_norm_composed(x, weight, bias, constant_mean, rstd, options.eps);
  const Tensor y = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float("batch_norm", x.dtype(), [&]<class T>(T) {
    const T *in = detail::ptr<T>(from), *w = detail::ptr_or_null<T>(from_weight),
            *b = detail::ptr_or_null<T>(from_bias);
    const double *mu = detail::ptr<double>(mean), *r = detail::ptr<double>(rstd);
    T* out = detail::mutable_ptr<T>(y);
    blocks.each([=](const kernels::Channels& block, int64_t) {
      kernels::batch_norm_apply(block, in, mu, r, w, b, out);
    });
  });
  return record("batch_norm", y, {x, weight, bias},
                [eps = options.eps, training = options.training, x = Saved(x), weight = Saved(weight),
                 bias = Saved(bias), mean = Saved(mean),
                 rstd = Saved(rstd)](const Tensor& dy, Needs needs) -> Gradients {
                  if (is_recording())
                    return replay(
                        [=](const Gradients& in) -> Gradients {
                          return {batch_norm_composed(in[0], in[1], in[2], training ? Tensor() : mean.get(),
                                                      rstd, eps)};
                        },
                        {x, weight, bias}, {dy});
                  return batch_norm_backward(dy, x, weight, mean, rstd, training, needs);
                });
}

}  // namespace tapegrad
