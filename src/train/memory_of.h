#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::train {

/// Where the elements of a parameter lie: what it is known by.
inline const void* memory_of(const Tensor& x) {
  return x.dtype() == float32 ? static_cast<const void*>(x.data<float>().data()) : x.data<double>().data();
}

}  // namespace tapegrad::train
