// GFLOP/s of the ways to compute a product, from which the table in src/kernels/gemm/gemm.cpp is made.
//
//   products [--double] [--large] [--seconds S] [M N K TRANS]...       TRANS: nn, nt (B^T), tn (A^T) or tt
//
// Each line has the product that gemm() chose, our own paths, the product with packed weights, and OpenBLAS. The
// peak is what one tile a call reaches on numbers that stay in the first-level cache; long products come a little above.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/product.h"
#include "kernels/gemm/tile.h"
#include "system/parallel.h"

namespace {

using namespace tapegrad::kernels;

double seconds = 0.02;  // of each measurement

struct Shape {
  int64_t m, n, k;
  bool trans_a, trans_b;
};

// Of a multilayer perceptron (forward, dx, dW), a recurrent step and a transformer, from small to large.
std::vector<Shape> shapes(bool large) {
  std::vector<Shape> all;
  const auto layer = [&](int64_t batch, int64_t in, int64_t out) {
    all.push_back({batch, out, in, false, true});
    all.push_back({batch, in, out, false, false});
    all.push_back({out, in, batch, true, false});
  };
  for (const int64_t batch : {1, 2, 4, 8, 16, 32, 128}) {
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{64, 10}, {64, 64}, {128, 128}, {128, 512}, {784, 1000}})
      layer(batch, in, out);
  }
  layer(2048, 64, 256);
  layer(2048, 256, 1024);
  for (const int64_t n : {16, 32, 64, 128, 256, 512}) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) all.push_back({n, n, n, trans_a, trans_b});
    }
  }
  if (large) {
    for (const int64_t n : {1024, 2048}) all.push_back({n, n, n, false, false});
    all.push_back({1024, 1024, 1024, true, false});
    all.push_back({1024, 1024, 1024, false, true});
  }
  return all;
}

/// GFLOP/s of the fastest of some runs.
template <class F>
double speed(double flops, F run) {
  using Clock = std::chrono::steady_clock;
  const auto time = [&](int64_t turns) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < turns; ++i) run();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  int64_t turns = 1;
  double once = time(1);
  while (once * static_cast<double>(turns) < seconds / 10) {
    turns *= 2;
    once = time(turns) / static_cast<double>(turns);
  }
  double least = once;
  for (int round = 0; round < 10; ++round) least = std::min(least, time(turns) / static_cast<double>(turns));
  return flops / least * 1e-9;
}

template <class T>
double peak() {
  double result = 0;
  simd([to = &result](auto isa) {
    using I = decltype(isa);
    constexpr int64_t k = 256, width = panel_width<I, T>;
    alignas(64) static T a[I::tile_rows * k], b[k * width], c[I::tile_rows * width];
    *to = speed(2.0 * k * width * I::tile_rows, [] {
      column_of_tiles<I, I::tile_vectors>(I::tile_rows, Factors<T>{k, a, k, 1, b, width, 0}, Target<T>{1, 0, c, width},
                                          width);
    });
  });
  return result;
}

template <class T>
void measure(const Shape& s) {
  std::vector<T> a(static_cast<size_t>(s.m * s.k), T(0.5)), b(static_cast<size_t>(s.n * s.k), T(0.25));
  std::vector<T> c(static_cast<size_t>(s.m * s.n)), memory(static_cast<size_t>(packed_size<T>(s.k, s.n)));
  const GemmArgs<T> g{
      s.trans_a, s.trans_b, s.m, s.n, s.k, 1, a.data(), s.trans_a ? s.m : s.k, b.data(), s.trans_b ? s.k : s.n,
      0,         c.data(),  s.n};
  const double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  const auto column = [&](bool possible, auto run) {
    fmt::print("{:>9}", possible ? fmt::format("{:.1f}", speed(flops, run)) : "");
  };
  fmt::print("{:>5} {:>5} {:>5} {}{}", s.m, s.n, s.k, s.trans_a ? 't' : 'n', s.trans_b ? 't' : 'n');
  column(true, [&] { gemm<T>(g.trans_a, g.trans_b, g.m, g.n, g.k, 1, g.a, g.lda, g.b, g.ldb, 0, g.c, g.ldc); });
  column(true, [&] { gemm_panels(g); });
  column(!s.trans_b, [&] { gemm_rows(g); });
  column(!s.trans_a && s.trans_b, [&] { gemm_dots(g); });
  const PackedB<T> packed = pack_b(s.trans_b, s.k, s.n, b.data(), g.ldb, memory.data());
  column(!s.trans_a, [&] { gemm_packed<T>(s.m, g.a, g.lda, packed, 0, g.c, g.ldc); });
#if defined(TAPEGRAD_BLAS)
  column(true, [&] { gemm_blas(g); });
#endif
  fmt::print("\n");
}

template <class T>
void run(const std::vector<Shape>& all) {
  fmt::print("{}, peak {:.1f} GFLOP/s\n{:>5} {:>5} {:>5}   {:>9}{:>9}{:>9}{:>9}{:>9}{:>9}\n", isa_name(), peak<T>(),
             "m", "n", "k", "gemm", "panels", "rows", "dots", "packed", "OpenBLAS");
  for (const Shape& s : all) measure<T>(s);
}

}  // namespace

int main(int argc, char** argv) {
  bool use_double = false, large = false;
  std::vector<Shape> all;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--double") {
      use_double = true;
    } else if (option == "--large") {
      large = true;
    } else if (option == "--seconds" && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
    } else if (i + 3 < argc && std::string_view(argv[i + 3]).size() == 2) {
      const std::string_view trans = argv[i + 3];
      all.push_back(
          {std::atoll(argv[i]), std::atoll(argv[i + 1]), std::atoll(argv[i + 2]), trans[0] == 't', trans[1] == 't'});
      i += 3;
    } else {
      fmt::print(stderr, "products [--double] [--large] [--seconds S] [M N K nn|nt|tn|tt]...\n");
      return 2;
    }
  }
  tapegrad::set_num_threads(1);
  if (all.empty()) all = shapes(large);
  use_double ? run<double>(all) : run<float>(all);
}
