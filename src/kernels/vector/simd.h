// One source for every vector width.
//
//   simd([=] { for (int64_t i = 0; i < n; ++i) y[i] = x[i] * x[i]; });
//
// compiles the body once for each instruction set below and runs the widest that this CPU has. It works by
// two attributes: `target` allows the compiler a wider instruction set in one function, and `flatten` inlines
// everything that the body calls into it, so the loop inside a lambda, a functor or a template is vectorized
// for that set. Plain loops over spans are vectorized by the compiler. A body that needs vectors of its own
// takes the instruction set as an argument, whose type has their width:
//
//   simd([=](auto isa) { using V = Vector<decltype(isa), float>; ... });
//
// No vector is wider than the instruction set: the compiler would keep its pieces in memory.
//
// Capture by value ([=]): a captured reference may alias the output and stops vectorization.
#pragma once
#include <tapegrad/exact.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace tapegrad::kernels {

/// The instruction sets that kernels are compiled for.
enum class Isa { baseline, avx2, avx512 };

/// The widest set that this CPU has; TAPEGRAD_ISA=baseline|avx2|avx512 in the environment lowers it.
Isa isa();
const char* isa_name();

#if defined(__x86_64__)
#define TAPEGRAD_X86 1
#define TAPEGRAD_AVX2 __attribute__((target("avx2,fma"), flatten, noinline))
#if defined(TAPEGRAD_EMULATE_AVX512)  // its vectors and tiles in instructions of AVX2, slowly, for tests on any CPU
#define TAPEGRAD_AVX512 TAPEGRAD_AVX2
#elif defined(__clang__)
#define TAPEGRAD_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"), flatten, noinline))
#else  // GCC prefers 256 bits even where 512 are allowed
#define TAPEGRAD_AVX512 \
  __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512"), flatten, noinline))
#endif
#endif

// Whether the compiler may fuse a * b + c. Clang does it only in the files that ask for it (cmake/options.cmake); GCC does it
// on x86 wherever the instruction set can, and elsewhere, where every function could, only where it is told to here.
#define TAPEGRAD_UNFUSED
#define TAPEGRAD_FUSED
#if defined(__GNUC__) && !defined(__clang__)
#undef TAPEGRAD_UNFUSED
#define TAPEGRAD_UNFUSED __attribute__((optimize("fp-contract=off")))
#if !defined(TAPEGRAD_X86)
#undef TAPEGRAD_FUSED
#define TAPEGRAD_FUSED __attribute__((optimize("fp-contract=fast")))
#endif
#endif

// The instruction sets as types. A vector has `bytes`; the tile of a product (gemm/tile.h) has `tile_rows` rows
// of `tile_vectors` vectors, which with a row of B and one number of A fill the registers. run(body) runs the
// body as a function of its own, compiled for the set.

/// What every CPU of the platform has: SSE2, with 16 registers, or NEON, with 32.
struct Baseline {
  static constexpr bool computes_fma = false;  // gemm/fma.h
  static constexpr int bytes = 16, tile_vectors = 4;
#if defined(TAPEGRAD_X86)
  static constexpr int registers = 16, tile_rows = 3;
#else
  static constexpr int registers = 32, tile_rows = 5;
#endif
  template <class F>
  [[gnu::flatten, gnu::noinline]] TAPEGRAD_FUSED static void run(F body) {
    body();
  }
};
#if defined(TAPEGRAD_X86)
struct Avx2 {
  static constexpr bool computes_fma = false;
  static constexpr int bytes = 32, registers = 16, tile_rows = 6, tile_vectors = 2;
  template <class F>
  TAPEGRAD_AVX2 static void run(F body) {
    body();
  }
};
struct Avx512 {
  static constexpr bool computes_fma = false;
  static constexpr int bytes = 64, registers = 32, tile_rows = 8, tile_vectors = 2;
  template <class F>
  TAPEGRAD_AVX512 static void run(F body) {
    body();
  }
};
#endif

// Those of exact mode (tapegrad/exact.h), where a * b + c is rounded twice, as on a CPU that cannot do otherwise. On x86 the
// baseline is such a CPU.
#if defined(TAPEGRAD_X86)
struct Unfused : Avx2 {
  template <class F>
  TAPEGRAD_AVX2 TAPEGRAD_UNFUSED static void run(F body) {
    body();
  }
};
struct UnfusedWide : Avx512 {
  template <class F>
  TAPEGRAD_AVX512 TAPEGRAD_UNFUSED static void run(F body) {
    body();
  }
};
#else
struct Unfused : Baseline {
  template <class F>
  [[gnu::flatten, gnu::noinline]] TAPEGRAD_UNFUSED static void run(F body) {
    body();
  }
};
#endif

namespace detail {
template <class T, int bytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(bytes)));
};

/// Runs the body, with the instruction set as its argument if it takes one.
template <class I, class F>
inline void run_as(F body) {
  I::run([body] {
    if constexpr (std::is_invocable_v<const F&, I>)
      body(I{});
    else
      body();
  });
}
}  // namespace detail

/// A vector of the instruction set I.
template <class I, class T>
using Vector = typename detail::VectorOf<T, I::bytes>::type;
template <class I, class T>
constexpr int lanes = I::bytes / int{sizeof(T)};

/// The widest set, where a * b + c becomes one instruction that rounds once if the set has it.
template <class F>
inline void simd_fused(F body) {
#if defined(TAPEGRAD_X86)
  switch (isa()) {
    case Isa::avx512: return detail::run_as<Avx512>(body);
    case Isa::avx2: return detail::run_as<Avx2>(body);
    case Isa::baseline: break;
  }
#endif
  detail::run_as<Baseline>(body);
}

template <class F>
inline void simd(F body) {
  if (!is_exact()) return simd_fused(body);
#if defined(TAPEGRAD_X86)
  if (isa() == Isa::avx512) return detail::run_as<UnfusedWide>(body);
  if (isa() == Isa::baseline) return detail::run_as<Baseline>(body);
#endif
  detail::run_as<Unfused>(body);
}

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
