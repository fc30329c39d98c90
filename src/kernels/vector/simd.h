// One source for every vector width.
//
//   simd([=] { for (int64_t i = 0; i < n; ++i) y[i] = x[i] * x[i]; });
//
// compiles the body once for each instruction set below and runs the widest that this CPU has. It works by
// two attributes: `target` allows the compiler a wider instruction set in one function, and `flatten` inlines
// everything that the body calls into it, so the loop inside a lambda, a functor or a template is vectorized
// for that set. Plain loops over spans are vectorized by the compiler; a sum, which it may not reorder, is
// written with the vector types below, whose number of lanes is the same on every CPU, and so is the order of
// the additions.
//
// Capture by value ([=]): a captured reference may alias the output and stops vectorization.
#pragma once
#include <cstdint>
#include <cstring>

namespace tapegrad::kernels {

/// The instruction sets that kernels are compiled for.
enum class Isa { baseline, avx2, avx512 };

/// The widest set that this CPU has; TAPEGRAD_ISA=baseline|avx2|avx512 in the environment lowers it.
Isa isa();
const char* isa_name();

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#if defined(__clang__)
#define TAPEGRAD_AVX512 \
  __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"), flatten, noinline))
#else  // GCC prefers 256 bits even where 512 are allowed
#define TAPEGRAD_AVX512                                                                                  \
  __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512"), flatten, \
                 noinline))
#endif
#define TAPEGRAD_AVX2 __attribute__((target("avx2,fma"), flatten, noinline))

template <class F>
TAPEGRAD_AVX512 void run_avx512(F body) {
  body();
}
template <class F>
TAPEGRAD_AVX2 void run_avx2(F body) {
  body();
}
#endif

template <class F>
inline void simd(F body) {
#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
  switch (isa()) {
    case Isa::avx512: return run_avx512(body);
    case Isa::avx2: return run_avx2(body);
    case Isa::baseline: break;
  }
#endif
  body();  // NEON on arm64, SSE2 on x86-64
}

// Vectors of a fixed number of lanes; the compiler splits them where the CPU's are shorter.
typedef float f32x16 __attribute__((vector_size(64)));
typedef float f32x8 __attribute__((vector_size(32)));
typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x8 __attribute__((vector_size(64)));
typedef double f64x4 __attribute__((vector_size(32)));

template <class V, class T>
inline V load(const T* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class V, class T>
inline void store(T* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

}  // namespace tapegrad::kernels
