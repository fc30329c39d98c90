// The four element types: float32 (the default) and float64 for what is differentiated, int64 for indices and
// labels, boolean for masks.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace tapegrad {

enum class Dtype : uint8_t { float32, float64, int64, boolean };
using enum Dtype;  // float32 is Dtype::float32

/// Bytes of one element: 4, 8, 8, 1.
constexpr size_t item_size(Dtype dtype) {
  constexpr size_t sizes[] = {4, 8, 8, 1};
  return sizes[size_t(dtype)];
}

/// "float32", "float64", "int64" or "boolean".
constexpr const char* name(Dtype dtype) {
  constexpr const char* names[] = {"float32", "float64", "int64", "boolean"};
  return names[size_t(dtype)];
}

/// Whether the dtype is float32 or float64: only these have gradients.
constexpr bool is_floating(Dtype dtype) { return dtype == float32 || dtype == float64; }

/// The C++ types of the elements.
template <class T>
concept Element =
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, int64_t> || std::same_as<T, bool>;

/// The Dtype of a C++ type: dtype_of<float> is float32.
template <Element T>
inline constexpr Dtype dtype_of = std::same_as<T, float>    ? float32
                                  : std::same_as<T, double> ? float64
                                  : std::same_as<T, bool>   ? boolean
                                                            : int64;

}  // namespace tapegrad
