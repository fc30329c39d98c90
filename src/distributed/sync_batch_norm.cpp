// One channel, over the m elements of all shards. Forward, of each shard s
//
//   n_s,  mu_s = (1 / n_s) sum x,  q_s = sum (x - mu_s)^2
//
// and of two together, with d = mu_b - mu_a and n = n_a + n_b:
//
//   mu = mu_a + d n_b / n,   q = q_a + q_b + d^2 n_a n_b / n
//
// At the root var = q / m, rstd = (var + eps)^(-1/2), xhat = (x - mu) rstd and y = xhat weight + bias. Backward (the derivation
// is that of batch_norm.cpp), with the sums over all shards B = sum dy, W = sum dy xhat:
//
//   dx = weight rstd (dy - B / m - xhat W / m)
//
// The first term and a shard's own dbias = sum dy, dweight = sum dy xhat are what batch normalization with constant
// moments has as gradients; the rest is xhat w' + b', with w' = -weight rstd W / m and b' = -weight rstd B / m.
#include <tapegrad/distributed/sync_batch_norm.h>
#include <tapegrad/ops.h>
#include <tapegrad/record.h>

#include "compute/fused.h"
#include "core/fail.h"
#include "distributed/turns.h"

namespace tapegrad::distributed {

namespace {

// n, mu and q of each channel, [3 C].
void put_together(Tensor& a, const Tensor& b) {
  const int64_t c = a.numel() / 3;
  double *n = a.mutable_data<double>().data(), *mu = n + c, *q = mu + c;
  const double *n_b = b.data<double>().data(), *mu_b = n_b + c, *q_b = mu_b + c;
  for (int64_t i = 0; i < c; ++i) {
    const double d = mu_b[i] - mu[i], all = n[i] + n_b[i];
    mu[i] += d * n_b[i] / all;
    q[i] += q_b[i] + d * d * n[i] * n_b[i] / all;
    n[i] = all;
  }
}

struct Moments {
  double count;
  Tensor mean, var;  // [C], float64
};

Moments moments_of(const Tensor& x, Turns& turns) {
  const int64_t c = x.size(1);
  const double count = double(x.numel() / c);
  const auto [mean, variance] = compute::batch_moments(x);
  const Tensor all = turns.meet(concat({full({c}, count, {.dtype = float64}), mean, count * variance}), put_together);
  const double m = all[0].item();
  return {m, slice(all, 0, c, 2 * c), slice(all, 0, 2 * c) / m};
}

}  // namespace

SyncBatchNorm::SyncBatchNorm(int64_t num_features, SyncBatchNormOptions options)
    : weight(add_parameter("weight", ones({num_features}))),
      bias(add_parameter("bias", zeros({num_features}))),
      running_mean(add_buffer("running_mean", zeros({num_features}))),
      running_var(add_buffer("running_var", ones({num_features}))),
      num_batches_tracked(add_buffer("num_batches_tracked", zeros({}, {.dtype = int64}))),
      options_(options) {
  if (!(options.eps >= 0)) fail<ValueError>("SyncBatchNorm", "eps must be at least 0, got {}", options.eps);
  if (!(options.momentum >= 0 && options.momentum <= 1))
    fail<ValueError>("SyncBatchNorm", "momentum must be in [0, 1], got {}", options.momentum);
  describe(fmt::format("{}, eps={}, momentum={}", num_features, options.eps, options.momentum));
}

Tensor SyncBatchNorm::forward(const Tensor& input) {
  const int64_t channels = weight.size(0);
  if (input.dim() < 2 || input.size(1) != channels || input.numel() == 0)
    fail<ShapeError>("SyncBatchNorm", "input must be [N, {}] or [N, {}, ...] with N > 0, got {}", channels, channels,
                     input.shape());
  if (!is_training()) return batch_norm(input, running_mean, running_var, weight, bias, {.eps = options_.eps});
  Turns* const turns = Turns::current();
  if (!turns) {
    const Tensor y = batch_norm(input, running_mean, running_var, weight, bias,
                                {.training = true, .momentum = options_.momentum, .eps = options_.eps});
    num_batches_tracked.mutable_data<int64_t>()[0] += 1;
    return y;
  }
  const Tensor x = input.contiguous();
  Tensor mu, rstd, y;
  double m = 0;
  {
    const NoGrad no_grad;
    const Moments moments = moments_of(x, *turns);
    m = moments.count;
    if (m == 1)
      fail<ValueError>("SyncBatchNorm", "training needs more than one value in a channel, got input {}", input.shape());
    mu = moments.mean;
    rstd = rsqrt(moments.var + options_.eps);
    // The shards of a process share the buffers: one of them writes.
    if (turns->is_last()) {
      const auto move = [&](Tensor& running, const Tensor& now) {
        running.copy_(running * (1 - options_.momentum) + now.to(running.dtype()) * options_.momentum);
      };
      move(running_mean, mu);
      move(running_var, moments.var * (m / (m - 1)));
      num_batches_tracked.mutable_data<int64_t>()[0] += 1;
    }
    y = compute::BatchNorm{.training = false}.forward({x, weight, bias, mu, rstd}, nullptr);
  }
  const auto vjp = [x = Saved(x), weight = Saved(weight), bias = Saved(bias), mu, rstd, m,
                    turns](const Tensor& dy) -> Gradients {
    if (is_recording()) fail<AutogradError>("SyncBatchNorm", "it has no second derivative");
    const compute::BatchNorm constant{.training = false};
    const Tensors in{x, weight, bias, mu, rstd};
    const Gradients own = constant.backward({dy.contiguous()}, in, {}, Needs{.bits = 7, .again = true});
    const Tensor sums = turns->meet(concat({own[1], own[2]}).to(float64), add_up);
    const int64_t c = mu.numel();
    const Tensor scale = rstd * weight.get().to(float64) * (-1 / m);
    const Dtype dtype = dy.dtype();
    const Tensor w = (scale * slice(sums, 0, 0, c)).to(dtype), b = (scale * slice(sums, 0, c)).to(dtype);
    return {own[0] + constant.forward({x, w, b, mu, rstd}, nullptr), own[1], own[2]};
  };
  return record("sync_batch_norm", y, {x, weight, bias}, {{"eps", options_.eps}}, vjp);
}

}  // namespace tapegrad::distributed
