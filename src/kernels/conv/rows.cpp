// Rows of images: copied, as they are short and a call of memcpy for each costs more than the copy, and convolved where
// there are few channels, as in depthwise convolutions. A tile of a product (gemm/tile.h) has vectors of channels,
// which would be nearly empty; here they are pixels of a row of the image, and each tap is a pass over that row, which
// stays in the first-level cache. Sums of weights' gradients are float64.
#include "kernels/conv/conv.h"
#include "kernels/gemm/pack.h"
#include "kernels/loops/map.h"
#include "kernels/vector/lanes.h"

namespace tapegrad::kernels {

namespace {

// f with a step that the compiler knows, where it is 1 or 2.
template <class F>
inline void with_step(int64_t step, F f) {
  if (step == 1) return f(std::integral_constant<int64_t, 1>{});
  if (step == 2) return f(std::integral_constant<int64_t, 2>{});
  f(step);
}

}  // namespace

template <class T>
void copy_planes(int64_t planes, int64_t rows, int64_t n, const T* from, Planes from_at, T* to, Planes to_at) {
  simd([=](auto isa) {
    using V = Vector<decltype(isa), T>;
    constexpr int64_t width = lanes<decltype(isa), T>;
    for (int64_t plane = 0; plane < planes; ++plane) {
      const T* source = from + plane * from_at.plane;
      T* target = to + plane * to_at.plane;
      for (int64_t row = 0; row < rows; ++row, source += from_at.row, target += to_at.row) {
        if (n < width) {
          copy_few(source, target, n);
          continue;
        }
        for (int64_t i = 0; i < n - width; i += width) store(target + i, load<V>(source + i));
        store(target + n - width, load<V>(source + n - width));  // the last vector may overlap the one before
      }
    }
  });
}

template <class T>
void conv_few(const Gather& gather, Runs runs, const T* a, int64_t n, const T* b, const T* bias, T* y, int64_t plane,
              const int64_t* at) {
  with_step(runs.step, [=, &gather](auto step) {
    const bool dense = runs.to_step == 1;
    simd([=, g = gather] {
      for (int64_t r = 0; r < runs.count; ++r) {
        const int64_t i = r * runs.width;
        for (int64_t j = 0; j < n; ++j) {
          T* to = y + j * plane + (at ? at[i] : i);
          const T shift = bias ? bias[j] : T(0);
          for (int64_t x = 0; x < runs.width; ++x) to[x * runs.to_step] = shift;
          for (int64_t p = 0; p < g.cols; ++p) {
            const T* from = a + g.row[i] + g.col[p];
            const T factor = b[p * n + j];
            if (dense) {
              TAPEGRAD_INDEPENDENT
              for (int64_t x = 0; x < runs.width; ++x) to[x] += factor * from[x * step];
            } else {
              for (int64_t x = 0; x < runs.width; ++x) to[x * runs.to_step] += factor * from[x * step];
            }
          }
        }
      }
    });
  });
}

template <class T>
void conv_few_add(const Gather& gather, Runs runs, const T* a, int64_t n, const T* b, int64_t ldb, T* c, int64_t ldc) {
  with_step(runs.step, [=, &gather](auto step) {
    simd([=, g = gather] {
      for (int64_t i = 0; i < g.rows; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t r = 0; r < runs.count; ++r) {
            const T *from = a + g.row[i] + g.col[r * runs.width], *dy = b + j * ldb + r * runs.width;
            sum += sum_of(runs.width, [=](int64_t x) { return double{dy[x]} * double{from[x * step]}; });
          }
          c[i * ldc + j] += static_cast<T>(sum);
        }
      }
    });
  });
}

#define TAPEGRAD_INSTANTIATE(T)                                                                                    \
  template void copy_planes(int64_t, int64_t, int64_t, const T*, Planes, T*, Planes);                              \
  template void conv_few(const Gather&, Runs, const T*, int64_t, const T*, const T*, T*, int64_t, const int64_t*); \
  template void conv_few_add(const Gather&, Runs, const T*, int64_t, const T*, int64_t, T*, int64_t)
TAPEGRAD_INSTANTIATE(float);
TAPEGRAD_INSTANTIATE(double);
#undef TAPEGRAD_INSTANTIATE

}  // namespace tapegrad::kernels
