// Layers whose weight is computed at each call from what is trained: its length and direction, or its share of the largest
// singular value.
#pragma once
#include <tapegrad/nn/module.h>
#include <tapegrad/ops/arithmetic.h>

namespace tapegrad::nn {

namespace detail {

/// The length of each slice of v along `axis`, with size 1 along the other axes.
Tensor lengths_along(const Tensor& v, int64_t axis);
struct SingularVectors {
  Tensor u, v;  // of length 1, for the rows and the columns of the weight as a matrix
};
SingularVectors singular_vectors(const Tensor& weight, int64_t axis, double eps);
/// weight / sigma, after `steps` steps of u and v.
Tensor divided_by_sigma(const Tensor& weight, SingularVectors at, int64_t axis, int64_t steps, double eps);

}  // namespace detail

struct WeightNormOptions {
  int64_t dim = 0;  ///< each slice along it has a length of its own: 0 for Linear and Conv, 1 for ConvTranspose2d
};

/// A layer with weight W = g v / |v|, |v| the length of each slice along `dim`: how long a row is and where it points are
/// learned apart. v begins as the layer's weight and g as its lengths, so W is at first what it was.
///
/// **Shape**: as the layer; weight_v as its weight, weight_g the same with size 1 along the other axes. The bias is the layer's.
/// **Throws** what the layer throws; IndexError for dim. A slice of zeros has no direction: W is NaN.
/// **Gradient**: dg = sum of dW v / |v|, dv = g / |v| (dW - dg v / |v|), which is orthogonal to v.
/// **Source**: Salimans, Kingma 2016, equations 2 and 3. The names are those of torch.nn.utils.weight_norm.
///
///     auto fc = add("fc", nn::WeightNorm(nn::Linear(64, 128)));
template <class Layer>
struct WeightNorm : Module<WeightNorm<Layer>> {
  explicit WeightNorm(Layer layer, WeightNormOptions options = {}) : layer_(std::move(layer)), axis_(options.dim) {
    weight_g = this->add_parameter("weight_g", detail::lengths_along(layer_.weight.detach(), axis_));
    weight_v = this->add_parameter("weight_v", layer_.weight);
    bias = this->add_parameter("bias", layer_.bias);
  }
  Tensor weight() const { return weight_v * (weight_g / detail::lengths_along(weight_v, axis_)); }
  Tensor forward(const Tensor& x) { return functional_call(layer_, {{"weight", weight()}}, x); }

  Parameter weight_g, weight_v, bias;

 private:
  Layer layer_;  // with weight_v for its weight
  int64_t axis_;
};

struct SpectralNormOptions {
  int64_t n_power_iterations = 1;  ///< steps of u and v a call in training mode, >= 0
  double eps = 1e-12;              ///< no vector is divided by less
  int64_t dim = 0;                 ///< the axis that gives the rows of the matrix: 1 for ConvTranspose2d
};

/// A layer with weight W / sigma, sigma the largest singular value of W as a matrix of rows along `dim`: the layer then
/// lengthens no vector (for a convolution, about). sigma = u^T W v by power iteration, v = W^T u / |W^T u|, u = W v / |W v|:
/// 15 steps when it is made, n_power_iterations each call in training mode, none in evaluation.
///
/// **Shape**: as the layer; weight_orig as its weight, weight_u and weight_v one number for each row and column. The bias is the layer's.
/// **Throws** what the layer throws; IndexError for dim, ValueError for options out of range.
/// **Gradient**: u and v are constants: dW = (dy - (sum of dy W / sigma) u v^T) / sigma.
/// **Source**: Miyato et al. 2018, algorithm 1. The names are those of torch.nn.utils.spectral_norm.
///
///     auto fc = add("fc", nn::SpectralNorm(nn::Linear(64, 128)));
template <class Layer>
struct SpectralNorm : Module<SpectralNorm<Layer>> {
  explicit SpectralNorm(Layer layer, SpectralNormOptions options = {}) : layer_(std::move(layer)), options_(options) {
    weight_orig = this->add_parameter("weight_orig", layer_.weight);
    bias = this->add_parameter("bias", layer_.bias);
    const auto [u, v] = detail::singular_vectors(weight_orig, options_.dim, options_.eps);
    weight_u = this->add_buffer("weight_u", u);
    weight_v = this->add_buffer("weight_v", v);
  }
  Tensor weight() const {
    return detail::divided_by_sigma(weight_orig, {weight_u, weight_v}, options_.dim,
                                    this->is_training() ? options_.n_power_iterations : 0, options_.eps);
  }
  Tensor forward(const Tensor& x) { return functional_call(layer_, {{"weight", weight()}}, x); }

  Parameter weight_orig, bias;
  Buffer weight_u, weight_v;

 private:
  Layer layer_;  // with weight_orig for its weight
  SpectralNormOptions options_;
};

}  // namespace tapegrad::nn
