#include "kernels/vector/simd.h"

#include <cstdlib>
#include <string_view>

namespace tapegrad::kernels {

namespace {
Isa detect() {
#if defined(TAPEGRAD_X86)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#if defined(TAPEGRAD_EMULATE_AVX512)
  const bool avx512 = avx2;
#else
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#endif
  const char* wish = std::getenv("TAPEGRAD_ISA");
  const std::string_view limit = wish ? wish : "";
  if (limit == "baseline") return Isa::baseline;
  if (avx512 && limit != "avx2") return Isa::avx512;
  if (avx2) return Isa::avx2;
#endif
  return Isa::baseline;
}
}  // namespace

Isa isa() {
  static const Isa found = detect();
  return found;
}

const char* isa_name() {
  switch (isa()) {
    case Isa::avx512: return "avx512";
    case Isa::avx2: return "avx2";
    case Isa::baseline: break;
  }
  return "baseline";
}

}  // namespace tapegrad::kernels
