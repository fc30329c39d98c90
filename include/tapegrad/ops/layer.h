// File: ops/layer.h
//
// Operations that are the whole of a layer: the rows of a table, and noise.
#pragma once
#include <optional>

#include <tapegrad/tensor.h>

namespace tapegrad {

struct EmbeddingOptions {
  std::optional<int64_t> padding_idx = {};  ///< this row gets no gradient; negative counts from the end
};

/// Looks rows up in a table: y[i] = weight[index[i]].   dweight[k] = sum of dy[i] over all i with index[i] =
/// k.
///
/// **Shape**: weight [num, D], index [...] int64, y [..., D].
///
/// **Throws** IndexError for an index outside [0, num), DtypeError if the index is not int64.
Tensor embedding(const Tensor& weight, const Tensor& index, EmbeddingOptions options = {});

/// Sets each element to 0 with probability p and multiplies the others by 1 / (1 - p), so that the expected
/// value stays.   dx = dy times the same factors.
///
/// **Shape**: any. The mask comes from default_generator(): the same seed gives the same mask. p = 0 returns
/// x, p = 1 zeros.
///
/// **Throws** ValueError unless p is in [0, 1].
///
/// **Source**: Srivastava et al. 2014, Dropout: A Simple Way to Prevent Neural Networks from Overfitting.
Tensor dropout(const Tensor& x, double p);

}  // namespace tapegrad
