// Operations that are the whole of a layer: the rows of a table.
#pragma once
#include <optional>

#include <tapegrad/tensor.h>

namespace tapegrad {

struct EmbeddingOptions {
  std::optional<int64_t> padding_idx = {};  ///< this row gets no gradient; negative counts from the end
};

/// Looks rows up in a table: y[i] = weight[index[i]].
///
/// **Shape**: weight [num, D], index [...] int64, y [..., D].
///
/// **Throws** ShapeError unless weight has two axes; IndexError for an index outside [0, num) or a padding_idx
/// outside [-num, num); DtypeError if the index is not int64.
///
/// **Gradient**: dweight[k] = sum of dy[i] over all i with index[i] = k, and 0 for row padding_idx.
Tensor embedding(const Tensor& weight, const Tensor& index, EmbeddingOptions options = {});

}  // namespace tapegrad
