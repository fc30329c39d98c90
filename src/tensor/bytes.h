// The bytes of a tensor's elements, whatever their type: to be written, sent or hashed.
#pragma once
#include <cstddef>
#include <span>

#include "tensor/impl.h"

namespace tapegrad::detail {

/// Of a contiguous x.
inline std::span<const std::byte> bytes_of(const Tensor& x) {
  return dispatch_all(x.dtype(), [&]<class T>(T) { return std::as_bytes(x.data<T>()); });
}
/// The same to write to, which is a change of x.
inline std::span<std::byte> mutable_bytes_of(Tensor& x) {
  return dispatch_all(x.dtype(), [&]<class T>(T) { return std::as_writable_bytes(x.mutable_data<T>()); });
}

}  // namespace tapegrad::detail
