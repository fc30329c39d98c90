// The largest error of each float function of kernels/vector/math.h over all 2^32 floats, against float64, in units
// in the last place: |y - y64| / (gap between the floats around y64). Takes minutes; TAPEGRAD_ISA chooses the
// vector width.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels/vector/math.h"
#include "kernels/vector/simd.h"

namespace {

using namespace tapegrad::kernels;

double sigmoid64(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }

double error_in_ulp(float y, double exact) {
  if (std::isnan(exact) || std::isnan(y)) return std::isnan(exact) && std::isnan(y) ? 0 : HUGE_VAL;
  const float rounded = static_cast<float>(exact);
  if (y == rounded)
    return std::isinf(y) ? 0 : std::fabs(y - exact) / std::ldexp(1.0, std::max(std::ilogb(rounded), -126) - 23);
  if (std::isinf(y) || std::isinf(rounded)) return HUGE_VAL;
  return std::fabs(y - exact) / std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
}

template <class F>
void sweep(const char* name, F f, double (*exact)(double), uint64_t step) {
  constexpr int64_t block = 4096;
  std::vector<float> x(block), y(block);
  double worst = 0;
  float worst_x = 0;
  for (uint64_t begin = 0; begin < (uint64_t{1} << 32); begin += block * step) {
    for (int64_t i = 0; i < block; ++i) x[i] = std::bit_cast<float>(static_cast<uint32_t>(begin + i * step));
    simd([n = block, from = x.data(), to = y.data(), f] {
      for (int64_t i = 0; i < n; ++i) to[i] = f(from[i]);
    });
    for (int64_t i = 0; i < block; ++i) {
      const double error = error_in_ulp(y[i], exact(x[i]));
      if (error > worst) worst = error, worst_x = x[i];
    }
  }
  std::printf("%-8s %-8s %8.3f ulp at %.9g\n", isa_name(), name, worst, worst_x);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t step = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;  // 251: every 251st float, in seconds
  sweep(
      "exp", [](float x) { return math::exp(x); }, std::exp, step);
  sweep(
      "expm1", [](float x) { return math::expm1(x); }, std::expm1, step);
  sweep(
      "log", [](float x) { return math::log(x); }, std::log, step);
  sweep(
      "log1p", [](float x) { return math::log1p(x); }, std::log1p, step);
  sweep(
      "tanh", [](float x) { return math::tanh(x); }, std::tanh, step);
  sweep(
      "sigmoid", [](float x) { return math::sigmoid(x); }, sigmoid64, step);
  sweep(
      "erf", [](float x) { return math::erf(x); }, std::erf, step);
}
