// Dropout: random zeros in training.
#pragma once
#include <concepts>

#include <tapegrad/random.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

/// Sets each element to 0 with probability p and scales the others by 1 / (1 - p), so that the mean stays.
///
/// **Shape**: any. Without `training` it is the identity. `generator` makes the mask, by default
/// default_generator(). `p` in [0, 1]; 0 is the identity and reads no random numbers, 1 gives zeros.
/// **Throws** ValueError for another p, DtypeError unless x is floating.
/// **Gradient**: dx = dy with the mask of this call. **Numerics**: one seed gives one mask, on every CPU and
/// for any number of threads; NaN stays NaN, dropped or not.
/// **Source**: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
///
///   h = dropout(relu(fc1(x)), 0.5, is_training());
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true, Generator* generator = nullptr);
template <std::same_as<bool> P>
Tensor dropout(const Tensor& x, P, bool = true,
               Generator* = nullptr) = delete;  // dropout(x, p, is_training())

}  // namespace tapegrad
