// Writing an array that is larger than the caches.
//
// An ordinary store first reads the line that it writes to. Where the whole line is written and nobody reads
// it soon, a non-temporal store saves that read, and pushes nothing out of the cache: 4096x1024 float32
// normalized over columns takes 1.8 ms instead of 2.3. An array that fits stays in the cache for the next
// operation, and is written as usual.
//
// Such a store wants whole lines in one go. Kernels compute into a buffer on the stack, which stays in the
// first cache, and copy it out row by row.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace tapegrad::kernels {

/// to[i] = from[i] past the caches, where the CPU can; then stream_fence(), before another thread reads it.
template <class T>
inline void stream(int64_t n, const T* from, T* to) {
#if defined(__x86_64__)
  constexpr int64_t lanes = 16 / sizeof(T);
  for (; n >= lanes; n -= lanes, from += lanes, to += lanes)
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#endif
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
}

inline void stream_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

/// Whether to write this array past the caches: it is larger than what a core may expect of them, and its
/// rows are whole lines. A line of which one half is written so and one half otherwise costs more than is
/// saved: with rows of 1001 float32 all of batch normalization takes 15.5 ms instead of 6.
template <class T>
inline bool is_streamed(const T* to, int64_t rows, int64_t row) {
  const int64_t bytes = row * static_cast<int64_t>(sizeof(T));
  return bytes % 64 == 0 && reinterpret_cast<uintptr_t>(to) % 64 == 0 && rows * bytes >= int64_t{8} << 20;
}

}  // namespace tapegrad::kernels
