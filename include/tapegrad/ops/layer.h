// File: ops/layer.h
//
// Operations that are the whole of a layer: the rows of a table.
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

}  // namespace tapegrad
