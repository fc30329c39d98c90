// Rows of images are short, and a call of memcpy for each costs more than the copy.
#include "kernels/conv/conv.h"
#include "kernels/gemm/pack.h"

namespace tapegrad::kernels {

template <class T>
void copy_rows(int64_t rows, int64_t n, const T* from, int64_t from_step, T* to, int64_t to_step) {
  simd([=](auto isa) {
    using V = Vector<decltype(isa), T>;
    constexpr int64_t width = lanes<decltype(isa), T>;
    const T* source = from;
    T* target = to;
    for (int64_t row = 0; row < rows; ++row, source += from_step, target += to_step) {
      if (n < width) {
        copy_few(source, target, n);
        continue;
      }
      for (int64_t i = 0; i < n - width; i += width) store(target + i, load<V>(source + i));
      store(target + n - width, load<V>(source + n - width));  // the last vector may overlap the one before
    }
  });
}

template void copy_rows(int64_t, int64_t, const float*, int64_t, float*, int64_t);
template void copy_rows(int64_t, int64_t, const double*, int64_t, double*, int64_t);

}  // namespace tapegrad::kernels
