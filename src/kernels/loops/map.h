// y[i] = f(x[i]) and y[i] = f(a[i], b[i], c[i]): loops under the elementwise operations.
//
// f is any function object that the compiler can inline; the loop is compiled for every vector width
// (simd.h). An input is read with a stride, of which 1 (a span) and 0 (one value for all, broadcast) have
// loops of their own. The output is contiguous, and may be one of the inputs, but must not overlap one in
// part.
//
// The width does not depend on n: element i has the same bits in a tensor of one element and in one of a
// million.
#pragma once
#include <cstdint>

#include "kernels/vector/simd.h"

// Tells the vectorizer that no turn of the loop reads what another one writes, which it would otherwise check
// at run time, and then take the scalar loop where output and input are the same.
#if defined(__clang__)
#define TAPEGRAD_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define TAPEGRAD_INDEPENDENT _Pragma("GCC ivdep")
#else
#define TAPEGRAD_INDEPENDENT
#endif

namespace tapegrad::kernels {

namespace access {

template <class T>
struct Span {
  const T* from;
  T operator[](int64_t i) const { return from[i]; }
};
template <class T>
struct Value {
  T value;
  T operator[](int64_t) const { return value; }
};
template <class T>
struct Strided {
  const T* from;
  int64_t stride;
  T operator[](int64_t i) const { return from[i * stride]; }
};

}  // namespace access

/// y[i] = f(x[i]), i < n.
template <class T, class U, class F>
void map(int64_t n, const T* x, U* y, F f) {
  simd([=] {
    TAPEGRAD_INDEPENDENT
    for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
  });
}

/// y[i] = f(a[i * stride_a], b[i * stride_b], c[i * stride_c]), i < n; at most one stride 0 is fast.
template <class A, class B, class C, class U, class F>
void map3(int64_t n, const A* a, int64_t stride_a, const B* b, int64_t stride_b, const C* c, int64_t stride_c, U* y,
          F f) {
  if (n <= 0) return;
  const auto run = [=](auto from_a, auto from_b, auto from_c) {
    simd([=] {
      TAPEGRAD_INDEPENDENT
      for (int64_t i = 0; i < n; ++i) y[i] = f(from_a[i], from_b[i], from_c[i]);
    });
  };
  using namespace access;
  const bool span_a = stride_a == 1, span_b = stride_b == 1, span_c = stride_c == 1;
  if (span_a && span_b && span_c) return run(Span<A>{a}, Span<B>{b}, Span<C>{c});
  if (stride_a == 0 && span_b && span_c) return run(Value<A>{*a}, Span<B>{b}, Span<C>{c});
  if (span_a && stride_b == 0 && span_c) return run(Span<A>{a}, Value<B>{*b}, Span<C>{c});
  if (span_a && span_b && stride_c == 0) return run(Span<A>{a}, Span<B>{b}, Value<C>{*c});
  run(Strided<A>{a, stride_a}, Strided<B>{b, stride_b}, Strided<C>{c, stride_c});
}

}  // namespace tapegrad::kernels
