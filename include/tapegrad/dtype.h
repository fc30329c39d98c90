// File: dtype.h
//
// The four element types: float32 (the default) and float64 for what is differentiated, int64 for indices and
// labels, boolean for masks.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tapegrad {

enum class Dtype : uint8_t { float32, float64, int64, boolean };

inline constexpr Dtype float32 = Dtype::float32;
inline constexpr Dtype float64 = Dtype::float64;
inline constexpr Dtype int64 = Dtype::int64;
inline constexpr Dtype boolean = Dtype::boolean;

/// Bytes of one element: 4, 8, 8, 1.
constexpr size_t item_size(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32: return 4;
    case Dtype::float64: return 8;
    case Dtype::int64: return 8;
    case Dtype::boolean: return 1;
  }
  return 0;
}

/// "float32", "float64", "int64" or "boolean".
const char* name(Dtype dtype);

constexpr bool is_floating(Dtype dtype) {
  return dtype == Dtype::float32 || dtype == Dtype::float64;
}

/// The Dtype of a C++ type: dtype_of<float> is float32. Only the four types have one.
template <class T>
inline constexpr Dtype dtype_of = Dtype(-1);
template <>
inline constexpr Dtype dtype_of<float> = Dtype::float32;
template <>
inline constexpr Dtype dtype_of<double> = Dtype::float64;
template <>
inline constexpr Dtype dtype_of<int64_t> = Dtype::int64;
template <>
inline constexpr Dtype dtype_of<bool> = Dtype::boolean;

}  // namespace tapegrad
