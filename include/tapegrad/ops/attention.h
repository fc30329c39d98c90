// Attention as one operation. nn::MultiheadAttention is made of it.
#pragma once
#include <optional>

#include <tapegrad/random.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

struct AttentionOptions {
  /// Broadcasts to [..., L, S]. Boolean: query i sees key j where it is true. Of q's dtype: added to the scores; -inf is
  /// for a key that is not seen.
  Tensor attn_mask = {};
  double dropout_p =
      0;  ///< in [0, 1]: probability that a p_ij counts as 0, the others scaled by 1 / (1 - p); always on
  bool is_causal = false;            ///< query i sees the keys j <= i + first_query
  std::optional<double> scale = {};  ///< of the scores; unset: 1 / sqrt(E)
  Tensor lengths = {};  ///< int64 [B], B the first axis of q, in [0, S]: the keys of each row; the others are padding
  int64_t first_query = 0;  ///< with is_causal: where query 0 stands among the keys, >= 0: what a cache held before
  Generator* generator = nullptr;  ///< of dropout; default_generator() if null
};

/// Each query's mean of the values, weighted by how well their keys fit it:
///
///     s_ij = scale q_i . k_j + mask_ij     p = softmax(s) along j     y_i = sum over j of p_ij v_j
///
/// All that hides keys holds together: attn_mask, is_causal and lengths. A query that sees no key gives 0, and so do its
/// gradients.
///
/// **Shape**: q [..., L, E], k [..., S, E], v [..., S, Ev] with the same leading axes (batch, heads), y [..., L, Ev].
/// They may be strided views: heads are read from where a projection left them, and y then lies as q does.
/// **Throws** ShapeError; DtypeError if the dtypes differ or are not floating; IndexError for lengths outside [0, S];
/// ValueError for a dropout_p outside [0, 1] and a negative first_query.
/// **Gradient**: to q, k, v and an additive mask, of any order. That of a mask takes memory of [..., L, S]; nothing else of
/// that size is made, forward or backward. What lies in padding, be it NaN, reaches nothing; keys that attn_mask hides
/// must be finite.
/// **Numerics**: the largest score is subtracted, sums of exponentials are float64. A row of the batch does not depend
/// on the others, down to the bits, and NaN in one stays in it. docs/attention.md has the derivation.
/// **Differences from PyTorch**: is_causal and attn_mask may be given together; lengths, first_query and generator are
/// additions; dropout runs in the fused kernel too.
/// **Source**: Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762, equation 1; blocks and backward: Dao, Fu,
/// Ermon, Rudra, Ré 2022, "FlashAttention", arXiv:2205.14135, algorithms 1 and 4; Milakov, Gimelshein 2018, arXiv:1805.02867.
///
///     const Tensor y = scaled_dot_product_attention(q, k, v, {.is_causal = true});
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {});

}  // namespace tapegrad
