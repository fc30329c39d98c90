#include <tapegrad/nn/init.h>
#include <tapegrad/ops.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/fail.h"

namespace tapegrad::nn::init {

namespace {

struct Fans {
  double in, out;
};

Fans fans(const char* name, const Tensor& x) {
  if (x.dim() < 2)
    fail<ShapeError>(name, "fans need a weight [out, in, ...], got {}. Hint: use uniform() or constant() for a bias",
                     x.shape());
  double field = 1;
  for (int64_t i = 2; i < x.dim(); ++i) field *= double(x.shape()[i]);
  return {field * double(x.shape()[1]), field * double(x.shape()[0])};
}

// 1 / sqrt(fan), and 0 for a weight without elements.
double inverse_root(double fan) { return fan > 0 ? 1 / std::sqrt(fan) : 0; }

double kaiming_std(const char* name, const Tensor& x, const KaimingOptions& options) {
  const Fans f = fans(name, x);
  return gain(options.nonlinearity, options.a) * inverse_root(options.mode == Fan::in ? f.in : f.out);
}

double xavier_std(const char* name, const Tensor& x, const XavierOptions& options) {
  const Fans f = fans(name, x);
  return options.gain * std::sqrt(2.0) * inverse_root(f.in + f.out);
}

// Uniform with mean 0 and this standard deviation: a uniform number in +-b has b / sqrt(3).
Tensor uniform_of(Tensor x, double std) {
  const double bound = std::sqrt(3.0) * std;
  return uniform(x, -bound, bound);
}

// Makes the rows orthonormal, one after the other (modified Gram-Schmidt). Twice is enough: the second pass
// removes what rounding left of the others in a row that nearly depends on them.
void orthonormalize(std::vector<double>& rows, size_t n, size_t size) {
  for (size_t i = 0; i < n; ++i) {
    double* row = &rows[i * size];
    for (int pass = 0; pass < 2; ++pass)
      for (size_t k = 0; k < i; ++k) {
        const double along = std::inner_product(row, row + size, &rows[k * size], 0.0);
        for (size_t j = 0; j < size; ++j) row[j] -= along * rows[k * size + j];
      }
    const double length = std::sqrt(std::inner_product(row, row + size, row, 0.0));
    for (size_t j = 0; j < size; ++j) row[j] /= length;
  }
}

}  // namespace

Tensor uniform(Tensor x, double low, double high) {
  if (!(low <= high)) fail<ValueError>("uniform", "low must not exceed high, got {} and {}", low, high);
  return x.copy_(rand(x.shape(), {.dtype = x.dtype()}) * (high - low) + low);
}

Tensor normal(Tensor x, double mean, double std) {
  if (!(std >= 0)) fail<ValueError>("normal", "std must be at least 0, got {}", std);
  return x.copy_(randn(x.shape(), {.dtype = x.dtype()}) * std + mean);
}

Tensor constant(Tensor x, double value) { return x.copy_(full({}, value, {.dtype = x.dtype()})); }
Tensor zeros(Tensor x) { return constant(x, 0); }
Tensor ones(Tensor x) { return constant(x, 1); }

Tensor eye(Tensor x) {
  if (x.dim() != 2) fail<ShapeError>("eye", "a matrix is needed, got {}", x.shape());
  return x.copy_(eq(arange(x.size(0)).unsqueeze(1), arange(x.size(1))).to(x.dtype()));
}

double gain(Nonlinearity nonlinearity, double negative_slope) {
  switch (nonlinearity) {
    case Nonlinearity::linear: return 1;
    case Nonlinearity::sigmoid: return 1;
    case Nonlinearity::tanh: return 5.0 / 3.0;
    case Nonlinearity::relu: return std::sqrt(2.0);
    case Nonlinearity::leaky_relu: return std::sqrt(2.0 / (1 + negative_slope * negative_slope));
    case Nonlinearity::selu: break;
  }
  return 0.75;
}

Tensor xavier_uniform(Tensor x, XavierOptions options) {
  return uniform_of(x, xavier_std("xavier_uniform", x, options));
}
Tensor xavier_normal(Tensor x, XavierOptions options) { return normal(x, 0, xavier_std("xavier_normal", x, options)); }
Tensor kaiming_uniform(Tensor x, KaimingOptions options) {
  return uniform_of(x, kaiming_std("kaiming_uniform", x, options));
}
Tensor kaiming_normal(Tensor x, KaimingOptions options) {
  return normal(x, 0, kaiming_std("kaiming_normal", x, options));
}

Tensor orthogonal(Tensor x, double gain) {
  fans("orthogonal", x);
  if (x.numel() == 0) return x;
  const size_t rows = size_t(x.shape()[0]), columns = size_t(x.numel()) / rows;
  const bool wide = rows <= columns;
  const int64_t n = int64_t(std::min(rows, columns)), size = int64_t(std::max(rows, columns));
  std::vector<double> basis = randn({n, size}, {.dtype = float64}).to_vector<double>();
  orthonormalize(basis, size_t(n), size_t(size));
  const Tensor matrix = from_vector(basis, {n, size}) * gain;
  return x.copy_((wide ? matrix : matrix.transpose(0, 1)).reshape(x.shape()).to(x.dtype()));
}

Tensor chrono(Tensor bias, double t_max) {
  if (bias.dim() != 1 || bias.numel() % 4 != 0)
    fail<ShapeError>("chrono", "the bias of an LSTM has 4 * hidden_size elements, got {}", bias.shape());
  if (!(t_max > 2)) fail<ValueError>("chrono", "t_max must be greater than 2, got {}", t_max);
  const Shape hidden = {bias.numel() / 4};
  const Tensor forget = log(rand(hidden, {.dtype = float64}) * (t_max - 2) + 1.0);
  const Tensor none = tapegrad::zeros(hidden, {.dtype = float64});
  return bias.copy_(concat({-forget, forget, none, none}, 0).to(bias.dtype()));
}

}  // namespace tapegrad::nn::init
