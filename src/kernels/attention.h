// Attention of one head, in blocks of queries and keys whose scores stay in the cache: see docs/attention.md.
// What is kept is m and 1 / l of each query; one that sees no key has 1 / l = 0, and so have its p.
#pragma once
#include <cstdint>

#include "kernels/dropout.h"

namespace tapegrad::kernels {

/// Rows of numbers, `step` elements apart; without data they are not given.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t step = 0;
  T* operator[](int64_t i) const { return data + i * step; }
  Rows from(int64_t i) const { return {data + i * step, step}; }
  explicit operator bool() const { return data != nullptr; }
};

template <class T>
struct AttentionHead {
  int64_t queries, keys, padded_keys, width, value_width;  // keys counts those that are no padding
  T scale;
  int64_t diagonal;            // query i sees the keys j <= i + diagonal
  Rows<const T> q, k, v;       // one row a query or key
  Rows<const T> bias;          // one row a query, added to its scores, if given
  Rows<const uint8_t> mask;    // the same; a key counts where it is not 0
  const DropoutMask* dropout;  // null: none
  int64_t dropout_at,
      dropout_step;      // p_ij is element at + i step + j of the mask; both multiples of its blocks
  T *largest, *inverse;  // m and 1 / l, one a query
};

/// Queries that a block has, and how many scores.
constexpr int64_t attention_queries = 64, attention_scores = 8192;

/// y of the queries [first, last), and their m and 1 / l.
template <class T>
void attention(const AttentionHead<T>& head, int64_t first, int64_t last, Rows<T> y);

/// The gradients of a head; those without data are not wanted. dbias is that of the scores, before any broadcasting.
template <class T>
struct AttentionGradients {
  Rows<T> q, k, v, bias;
};
template <class T>
void attention_backward(const AttentionHead<T>& head, Rows<const T> y, Rows<const T> dy,
                        const AttentionGradients<T>& d);

}  // namespace tapegrad::kernels
