#include <tapegrad/nn/channel_norm.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

namespace {

// The input that a layer takes: its number of axes, and its shape as text.
struct Input {
  int64_t least, most;
  const char* text;
};
template <class Layer>
constexpr Input kInput{4, 4, "[N, {0}, H, W]"};
template <>
constexpr Input kInput<BatchNorm1d>{2, 3, "[N, {0}] or [N, {0}, L]"};
template <>
constexpr Input kInput<BatchNorm3d>{5, 5, "[N, {0}, D, H, W]"};
template <>
constexpr Input kInput<InstanceNorm1d>{3, 3, "[N, {0}, L]"};

void check_input(const Input& input, const Tensor& x, int64_t channels) {
  if (x.dim() < input.least || x.dim() > input.most || x.shape()[1] != channels)
    fail<ShapeError>("", "input must be {}, got input {}", fmt::format(fmt::runtime(input.text), channels), x.shape());
}

// What is wrong with the options of a layer of channels.
void check_channels(std::string_view type, const char* name, int64_t channels, double eps) {
  if (channels < 0) fail<ValueError>(type, "{} must not be negative, got {}", name, channels);
  if (!(eps >= 0)) fail<ValueError>(type, "eps must be at least 0, got {}", eps);
}

}  // namespace

template <class Derived>
BatchNormOf<Derived>::BatchNormOf(int64_t num_features, BatchNormOptions options)
    : Module<Derived>(typename Module<Derived>::Between()),
      num_features_(num_features),
      eps_(options.eps),
      momentum_(options.momentum),
      biased_running_var_(options.biased_running_var),
      relu_(options.relu) {
  const std::string_view type = detail::type_name<Derived>();
  check_channels(type, "num_features", num_features, eps_);
  if (momentum_ && !(*momentum_ >= 0 && *momentum_ <= 1))
    fail<ValueError>(type, "momentum must be in [0, 1], got {}", *momentum_);
  const bool affine = options.affine, tracked = options.track_running_stats;
  weight = this->add_parameter("weight", affine ? ones({num_features}) : Tensor());
  bias = this->add_parameter("bias", affine ? zeros({num_features}) : Tensor());
  running_mean = this->add_buffer("running_mean", tracked ? zeros({num_features}) : Tensor());
  running_var = this->add_buffer("running_var", tracked ? ones({num_features}) : Tensor());
  num_batches_tracked = this->add_buffer("num_batches_tracked", tracked ? zeros({}, {.dtype = int64}) : Tensor());
  this->describe(fmt::format("{}, eps={}, momentum={}{}{}{}{}", num_features, eps_,
                             momentum_ ? fmt::format("{}", *momentum_) : "none", affine ? "" : ", affine=false",
                             tracked ? "" : ", track_running_stats=false",
                             biased_running_var_ ? ", biased_running_var=true" : "", relu_ ? ", relu=true" : ""));
}

template <class Derived>
Tensor BatchNormOf<Derived>::forward(const Tensor& x) {
  check_input(kInput<Derived>, x, num_features_);
  const bool tracked = running_mean.defined();
  if (!this->is_training() || !tracked)
    return batch_norm(x, running_mean, running_var, weight, bias, {.training = !tracked, .eps = eps_, .relu = relu_});
  const int64_t before = num_batches_tracked.template data<int64_t>()[0], most = int64_t(1) << 53;
  if (before < 0 || before > most)  // it can be loaded
    fail<ValueError>("", "num_batches_tracked must be in [0, {}], got {}", most, before);
  const int64_t batches = before + 1;
  const Tensor y = batch_norm(x, running_mean, running_var, weight, bias,
                              {.training = true,
                               .momentum = momentum_ ? *momentum_ : 1 / double(batches),
                               .eps = eps_,
                               .biased_running_var = biased_running_var_,
                               .relu = relu_});
  if (x.numel() > 0) num_batches_tracked.template mutable_data<int64_t>()[0] = batches;
  return y;
}

template struct BatchNormOf<BatchNorm1d>;
template struct BatchNormOf<BatchNorm2d>;
template struct BatchNormOf<BatchNorm3d>;

GroupNorm::GroupNorm(int64_t num_groups, int64_t num_channels, GroupNormOptions options)
    : num_groups_(num_groups), num_channels_(num_channels), eps_(options.eps) {
  check_channels("GroupNorm", "num_channels", num_channels, eps_);
  if (num_groups < 1 || num_channels % num_groups != 0)
    fail<ValueError>("GroupNorm", "num_groups must divide num_channels {}, got {}", num_channels, num_groups);
  weight = add_parameter("weight", options.affine ? ones({num_channels}) : Tensor());
  bias = add_parameter("bias", options.affine ? zeros({num_channels}) : Tensor());
  describe(fmt::format("{}, {}, eps={}{}", num_groups, num_channels, eps_, options.affine ? "" : ", affine=false"));
}

Tensor GroupNorm::forward(const Tensor& x) {
  if (x.dim() < 2 || x.size(1) != num_channels_)
    fail<ShapeError>("", "input must be [N, {}, ...], got input {}", num_channels_, x.shape());
  return group_norm(x, num_groups_, weight, bias, {.eps = eps_});
}

template <class Derived>
InstanceNormOf<Derived>::InstanceNormOf(int64_t num_features, InstanceNormOptions options)
    : Module<Derived>(typename Module<Derived>::Between()), num_features_(num_features), eps_(options.eps) {
  check_channels(detail::type_name<Derived>(), "num_features", num_features, eps_);
  weight = this->add_parameter("weight", options.affine ? ones({num_features}) : Tensor());
  bias = this->add_parameter("bias", options.affine ? zeros({num_features}) : Tensor());
  this->describe(fmt::format("{}, eps={}{}", num_features, eps_, options.affine ? ", affine=true" : ""));
}

template <class Derived>
Tensor InstanceNormOf<Derived>::forward(const Tensor& x) {
  check_input(kInput<Derived>, x, num_features_);
  return instance_norm(x, weight, bias, {.eps = eps_});
}

template struct InstanceNormOf<InstanceNorm1d>;
template struct InstanceNormOf<InstanceNorm2d>;

}  // namespace tapegrad::nn
