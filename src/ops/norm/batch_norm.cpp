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
// With relu, y = max(xhat weight + bias, 0), and dy counts as 0 where that is 0.
//
// Saved: x, contiguous, and mu and rstd in float64, of the channels; y with relu. The running statistics are no part of the
// graph: a later batch may move them before this one goes backward.
//
// The running variance is unbiased (m - 1), the one that normalizes is not (m), as in PyTorch; with biased_running_var it is
// the same.
//
// Source: Ioffe, Szegedy (2015), Batch Normalization, arXiv:1502.03167, algorithms 1 and 2.
#include "compute/fused.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

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
  Shape of_channel = x.shape();
  of_channel.erase(1);
  if (options.training && of_channel.numel() == 1)
    fail<ValueError>("batch_norm",
                     "training needs more than one value in a channel, got input {}. Hint: a last batch of "
                     "one is left out by DataLoader's {{.drop_last = true}}; call eval() to evaluate",
                     x.shape());
}

// [C] as it stands in x.
Tensor along_channels(const Tensor& vector, const Tensor& x) {
  Shape shape{vector.numel()};
  for (int64_t i = 2; i < x.dim(); ++i) shape.push_back(1);
  return vector.reshape(shape);
}

// In evaluation mean and rstd, in[3] and in[4], are constants.
Tensor batch_norm_composed(const Tensors& in, bool training, double eps, bool rectified) {
  const Tensor &x = in[0], wide = x.to(float64);
  Shape over{0};
  for (int64_t i = 2; i < x.dim(); ++i) over.push_back(i);
  Tensor y;
  if (training) {
    const Tensor centered = wide - mean(wide, Axes(over), {.keepdim = true});
    y = centered * rsqrt(mean(centered * centered, Axes(over), {.keepdim = true}) + eps);
  } else {
    y = (wide - along_channels(in[3], x)) * along_channels(in[4], x);
  }
  if (in[1].defined()) y = y * along_channels(in[1].to(float64), x);
  if (in[2].defined()) y = y + along_channels(in[2].to(float64), x);
  return rectified ? relu(y.to(x.dtype())) : y.to(x.dtype());
}

}  // namespace

Tensor batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, BatchNormOptions options) {
  check(input, running_mean, running_var, weight, bias, options);
  const auto [training, momentum, eps, biased, rectified] = options;
  const Tensor x = input.contiguous();
  const compute::RunningMoments running{running_mean, running_var, momentum, biased};
  Tensors in{x, weight, bias};
  if (!training) {
    in.push_back(compute::convert(running_mean, float64));
    in.push_back(compute::inverse_deviation(running_var, eps));
  } else if (reference_mode()) {  // the composed form moves nothing
    running.move(compute::batch_moments(x), x);
  }
  const auto composed = [training = training, eps = eps, rectified = rectified](const Tensors& in) {
    return batch_norm_composed(in, training, eps, rectified);
  };
  return fused("batch_norm", in, {{"training", training}, {"momentum", momentum}, {"eps", eps}, {"relu", rectified}},
               composed, compute::BatchNorm{training, rectified, eps, running});
}

}  // namespace tapegrad
