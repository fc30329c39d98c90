// What several parts of inspect ask of a tensor.
#pragma once
#include <tapegrad/inspect/microscope.h>
#include <tapegrad/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "compute/arrays.h"
#include "tensor/bytes.h"
#include "tensor/hash.h"
#include "tensor/impl.h"

namespace tapegrad::inspect {

/// Calls f with the values of a floating x in row-major order, as a span; not at all for another dtype or nothing.
template <class F>
void with_values(const Tensor& x, F&& f) {
  if (!x.defined() || !is_floating(x.dtype())) return;
  const Tensor plain = tapegrad::detail::plain(x);
  if (x.dtype() == float32)
    f(plain.data<float>());
  else
    f(plain.data<double>());
}

/// The distance between the elements that a sample of at most `sample` takes; odd, so that it does not run along one column.
inline size_t stride_of(size_t n, int64_t sample) { return n <= size_t(sample) ? 1 : (n / size_t(sample)) | 1; }

/// The length of x as a vector.
inline double length(const Tensor& x) {
  return x.defined() && is_floating(x.dtype()) ? std::sqrt(compute::sum_of_squares(x)) : 0;
}

/// The record that made x on the tape that made `output`, a leaf's own, or -1.
inline int64_t record_of(const Tensor& x, const Tensor& output) {
  const auto *from = x.impl(), *to = output.impl();
  if (!from || !to || to->tape == 0 || tapegrad::detail::tape_of(*from) != to->tape) return -1;
  return int64_t(from->record & ~tapegrad::detail::kConstantRecord);
}

/// Of the shape and the bits of the values.
inline uint64_t hash_of(const Tensor& x) {
  if (!x.defined()) return 0;
  const Tensor plain = tapegrad::detail::plain(x);
  const std::span<const std::byte> bytes = tapegrad::detail::bytes_of(plain);
  tapegrad::detail::Hash hash;
  hash.add(x.shape().begin(), size_t(x.dim()) * sizeof(int64_t));
  hash.add(bytes.data(), bytes.size());
  return hash.value();
}

/// Moments, range and histogram of at most `sample` values.
Numbers look(const Tensor& x, const MicroscopeOptions& options);

}  // namespace tapegrad::inspect
