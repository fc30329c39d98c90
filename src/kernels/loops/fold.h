// Reductions of [outer, n, inner] over n, one result for each (outer, inner).
//
// Each result is folded in the order of n by one thread, so its bits do not depend on the number of threads.
// With inner > 1 a block of columns is folded row by row: memory is read in its order, and the block's states
// stay in the first cache.
#pragma once
#include <algorithm>
#include <cstdint>

#include "system/parallel.h"

namespace tapegrad::kernels {

inline constexpr int64_t fold_columns = 64;   // states of a block
inline constexpr int64_t fold_grain = 32768;  // elements of a chunk of work, 20 microseconds or so

/// How many rows of `elements` make a chunk of work.
inline int64_t fold_rows(int64_t elements) { return std::max<int64_t>(1, fold_grain / std::max<int64_t>(elements, 1)); }

/// For each result `at`: a State made by start(at), step(state, x, k) for k = 0 ... n - 1, finish(at, state).
template <class State, class T, class Start, class Step, class Finish>
void fold(int64_t outer, int64_t n, int64_t inner, const T* x, Start start, Step step, Finish finish) {
  if (inner == 1) {
    const int64_t grain = fold_rows(n);
    return parallel_rows(outer, grain, [=](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        State state = start(at);
        const T* row = x + at * n;
        for (int64_t k = 0; k < n; ++k) step(state, row[k], k);
        finish(at, state);
      }
    });
  }
  const int64_t blocks = (inner + fold_columns - 1) / fold_columns;
  const int64_t grain = fold_rows(n * std::min(inner, fold_columns));
  parallel_rows(outer * blocks, grain, [=](int64_t begin, int64_t end) {
    State states[fold_columns];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / blocks, first = task % blocks * fold_columns;
      const int64_t count = std::min(fold_columns, inner - first), at = o * inner + first;
      for (int64_t i = 0; i < count; ++i) states[i] = start(at + i);
      for (int64_t k = 0; k < n; ++k) {
        const T* row = x + (o * n + k) * inner + first;
        for (int64_t i = 0; i < count; ++i) step(states[i], row[i], k);
      }
      for (int64_t i = 0; i < count; ++i) finish(at + i, states[i]);
    }
  });
}

}  // namespace tapegrad::kernels
