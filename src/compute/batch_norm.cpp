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

  // sum(block, part) of all blocks, finish(channels) when their sums are complete, and apply(block) of all blocks. Blocks that
  // have all rows of their channels go through the three one by one: what they have read is still in the cache.
  template <class Sum, class Finish, class Apply>
  void in_two_passes(const Sum& sum, const Finish& finish, const Apply& apply) const {
    const auto apply_to = [&](const kernels::Channels& block, int64_t) { apply(block); };
    if (parts() != 1) {
      each(sum);
      finish(whole);
      return each(apply_to);
    }
    each([&](const kernels::Channels& block, int64_t part) {
      sum(block, part);
      finish(block);
      apply(block);
    });
  }
};

// Mean and biased variance of each channel; then done(channels) and apply(block), as Blocks has them. Nothing of a batch that
// is empty.
template <class T, class Done, class Apply>
void with_moments(const Blocks& blocks, const T* x, double* mean, double* variance, const Done& done,
                  const Apply& apply) {
  const int64_t c = blocks.whole.c, parts = blocks.parts();
  if (blocks.whole.n * blocks.whole.l == 0) return;
  const Tensor partial = detail::new_tensor({2, parts, c}, float64);
  double *sums = detail::mutable_ptr<double>(partial), *squares = sums + parts * c;
  blocks.in_two_passes([=](const kernels::Channels& block,
                           int64_t part) { kernels::batch_norm_sums(block, x, sums + part * c, squares + part * c); },
                       [=, &done](const kernels::Channels& channels) {
                         kernels::batch_norm_stats(channels, parts, x, sums, squares, mean, variance);
                         done(channels);
                       },
                       apply);
}

template <class T>
void move_towards(Tensor running, const Tensor& batch, double momentum, double factor) {
  T* to = running.mutable_data<T>().data();
  const double* from = detail::ptr<double>(batch);
  for (int64_t c = 0; c < running.numel(); ++c) to[c] = T((1 - momentum) * double(to[c]) + momentum * factor * from[c]);
}

}  // namespace

ChannelMoments batch_moments(const Tensor& x) {
  const Tensor mean = zeros({x.size(1)}, {.dtype = float64}), variance = zeros({x.size(1)}, {.dtype = float64});
  detail::dispatch_float("batch_norm", x.dtype(), [&]<class T>(T) {
    const auto nothing = [](const kernels::Channels&) {};
    with_moments<T>(Blocks(x), detail::ptr<T>(x), detail::mutable_ptr<double>(mean),
                    detail::mutable_ptr<double>(variance), nothing, nothing);
  });
  return {mean, variance};
}

Tensor inverse_deviation(const Tensor& variance, double eps) {
  const Tensor wide = convert(variance, float64), rstd = detail::new_tensor(variance.shape(), float64);
  const double* from = detail::ptr<double>(wide);
  double* to = detail::mutable_ptr<double>(rstd);
  for (int64_t c = 0; c < rstd.numel(); ++c) to[c] = 1 / std::sqrt(from[c] + eps);
  return rstd;
}

void RunningMoments::move(const ChannelMoments& batch, const Tensor& x) const {
  if (!mean.defined() || x.numel() == 0) return;
  const int64_t m = x.numel() / mean.numel();
  detail::dispatch_float("batch_norm", mean.dtype(), [&]<class T>(T) {
    move_towards<T>(mean, batch.mean, momentum, 1);
    move_towards<T>(var, batch.variance, momentum, biased ? 1 : double(m) / double(m - 1));
  });
}

Tensor BatchNorm::forward(const Tensors& in, Tensors* kept) const {
  const Tensor &x = in[0], weight = detail::plain(in[1]), bias = detail::plain(in[2]);
  const Blocks blocks(x);
  const int64_t c = blocks.whole.c;
  const Tensor y = detail::new_tensor(x.shape(), x.dtype());
  const Tensor mean = training ? zeros({c}, {.dtype = float64}) : in[3];
  const Tensor rstd = training ? zeros({c}, {.dtype = float64}) : in[4];
  detail::dispatch_float("batch_norm", x.dtype(), [&]<class T>(T) {
    const T *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight), *b = detail::ptr_or_null<T>(bias);
    const double *mu = detail::ptr<double>(mean), *r = detail::ptr<double>(rstd);
    T* to = detail::mutable_ptr<T>(y);
    const auto apply = [=, relu = relu](const kernels::Channels& block) {
      kernels::batch_norm_apply(block, from, mu, r, w, b, relu, to);
    };
    if (!training) return blocks.each([&](const kernels::Channels& block, int64_t) { apply(block); });
    const Tensor variance = detail::new_tensor({c}, float64);
    double *means = detail::mutable_ptr<double>(mean), *rstds = detail::mutable_ptr<double>(rstd);
    double* variances = detail::mutable_ptr<double>(variance);
    const auto take_roots = [=, eps = eps](const kernels::Channels& channels) {
      for (int64_t i = channels.begin; i < channels.end; ++i) rstds[i] = 1 / std::sqrt(variances[i] + eps);
    };
    with_moments<T>(blocks, from, means, variances, take_roots, apply);
    running.move({mean, variance}, x);
  });
  if (kept && training) *kept = {mean, rstd};
  if (kept && relu) kept->push_back(y);
  return y;
}

Gradients BatchNorm::backward(const Tensors& dys, const Tensors& in, const Tensors& kept, Needs needs) const {
  const Tensor dy = detail::plain(dys[0]), &x = in[0], weight = detail::plain(in[1]);
  const Blocks blocks(x);
  const int64_t c = blocks.whole.c, parts = blocks.parts();
  const Tensor dweight = detail::new_tensor({c}, float64), dbias = detail::new_tensor({c}, float64);
  const Tensor partial = detail::new_tensor({2, parts, c}, float64);
  const Tensor dx = detail::new_tensor(x.shape(), x.dtype());
  detail::dispatch_float("batch_norm", dx.dtype(), [&]<class T>(T) {
    const T *g = detail::ptr<T>(dy), *y = relu ? detail::ptr<T>(kept[kept.size() - 1]) : nullptr;
    const T *from = detail::ptr<T>(x), *w = detail::ptr_or_null<T>(weight);
    const double* mu = detail::ptr<double>(training ? kept[0] : in[3]);
    const double* r = detail::ptr<double>(training ? kept[1] : in[4]);
    double *sum_w = detail::mutable_ptr<double>(dweight), *sum_b = detail::mutable_ptr<double>(dbias);
    double *part_w = detail::mutable_ptr<double>(partial), *part_b = part_w + parts * c;
    T* out = detail::mutable_ptr<T>(dx);
    blocks.in_two_passes(
        [=](const kernels::Channels& block, int64_t part) {
          kernels::batch_norm_backward_sums(block, g, y, from, mu, part_w + part * c, part_b + part * c);
        },
        [=](const kernels::Channels& channels) {
          kernels::add_channel_parts(channels, parts, part_w, sum_w);
          kernels::add_channel_parts(channels, parts, part_b, sum_b);
          for (int64_t i = channels.begin; i < channels.end; ++i) sum_w[i] *= r[i];
        },
        [=, of_w = training ? sum_w : nullptr, of_b = training ? sum_b : nullptr](const kernels::Channels& block) {
          kernels::batch_norm_backward(block, g, y, from, mu, r, w, of_w, of_b, out);
        });
  });
  Gradients out{dx, needs[1] ? convert(dweight, dx.dtype()) : Tensor(),
                needs[2] ? convert(dbias, dx.dtype()) : Tensor()};
  while (out.size() < in.size()) out.push_back({});  // moments that are constants
  return out;
}

}  // namespace tapegrad::compute
