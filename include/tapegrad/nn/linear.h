#pragma once
#include <tapegrad/nn/module.h>

namespace tapegrad::nn {

struct LinearOptions {
  bool bias = true;  ///< leave it out before a normalization, whose bias replaces it
};

/// The affine map y = x weight^T + bias.
///
/// **Shape**: x [..., in_features], y [..., out_features]; weight [out_features, in_features], bias
/// [out_features]. Both begin uniform in +-1 / sqrt(in_features), as in PyTorch.
/// **Throws** ShapeError if the input does not end in in_features; ValueError for negative sizes.
/// **Gradient**: dx = dy weight, dweight = dy^T x and dbias = sum of dy, over all rows.
///
///     nn::Linear fc = add("fc", nn::Linear(64, 128, {.bias = false}));
struct Linear : Module<Linear> {
  Linear(int64_t in_features, int64_t out_features, LinearOptions options = {});
  Tensor forward(const Tensor& x);

  Parameter weight, bias;
};

}  // namespace tapegrad::nn
