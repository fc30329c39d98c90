// Halves of a vector added, and squares of vectors transposed or summed up row by row.
#pragma once
#include <cstddef>
#include <utility>

#include "kernels/vector/simd.h"

namespace tapegrad::kernels {

namespace detail {

// One step of a transposition: of two rows `distance` apart, the halves that belong above and below the diagonal.
template <int distance, class V, size_t... lane>
inline V upper(V a, V b, std::index_sequence<lane...>) {
  constexpr size_t d = distance, n = sizeof...(lane);
  return __builtin_shufflevector(a, b, (lane & d ? n + lane - d : lane)...);
}
template <int distance, class V, size_t... lane>
inline V lower(V a, V b, std::index_sequence<lane...>) {
  constexpr size_t d = distance, n = sizeof...(lane);
  return __builtin_shufflevector(a, b, (lane & d ? n + lane : lane + d)...);
}

template <int distance, class V, size_t n>
inline void transpose_steps(V (&row)[n]) {
  constexpr auto all = std::make_index_sequence<n>{};
#pragma GCC unroll 16
  for (size_t i = 0; i < n; ++i) {
    if (i & distance) continue;
    const V a = row[i], b = row[i + distance];
    row[i] = upper<distance>(a, b, all);
    row[i + distance] = lower<distance>(a, b, all);
  }
  if constexpr (distance > 1) transpose_steps<distance / 2>(row);
}

template <class V, size_t... lane>
inline auto add_halves(V v, std::index_sequence<lane...>) {
  return __builtin_shufflevector(v, v, lane...) + __builtin_shufflevector(v, v, (sizeof...(lane) + lane)...);
}

template <int distance, class V, size_t n>
inline V sum_steps(V (&row)[n]) {
  constexpr auto all = std::make_index_sequence<n>{};
#pragma GCC unroll 16
  for (int i = 0; i < distance; ++i) {
    row[i] = upper<distance>(row[i], row[i + distance], all) + lower<distance>(row[i], row[i + distance], all);
  }
  if constexpr (distance > 1) return sum_steps<distance / 2>(row);
  return row[0];
}

}  // namespace detail

/// The lower half of v + the upper half.
template <class V>
inline auto halved(V v) {
  constexpr size_t half = sizeof(V) / sizeof(v[0]) / 2;
  return detail::add_halves(v, std::make_index_sequence<half>{});
}

/// Transposes a square of as many vectors as one has lanes.
template <class V, size_t n>
inline void transpose(V (&row)[n]) {
  detail::transpose_steps<n / 2>(row);
}

/// Adds up each of as many vectors as one has lanes: lane i of the result is the sum of row[i].
template <class V, size_t n>
inline V sums_of_vectors(V (&row)[n]) {
  return detail::sum_steps<n / 2>(row);
}

}  // namespace tapegrad::kernels
