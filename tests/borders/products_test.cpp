// Products whose sizes lie around those of the tiles, panels and blocks, on every way through the code that this CPU takes.
// The factors are small whole numbers, so that every sum is exact and the order of additions does not matter.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

struct Product {
  int64_t m, n, k;
};

std::vector<Product> products() {
  std::vector<Product> all;
  // Rows of a tile: 3, 6 or 8; few rows go other ways up to 16. Columns of a panel: 8, 16 or 32.
  for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 25})
    for (int64_t n : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}) all.push_back({m, n, 19});
  for (int64_t m : {2, 9, 40, 70})
    for (int64_t k : beside({8, 16, 64, 128, 256, 512})) all.push_back({m, 33, k});
  for (int64_t m : beside({64, 128, 512})) all.push_back({m, 20, 40});        // blocks of rows of A
  for (int64_t n : beside({64, 128, 256, 512})) all.push_back({20, n, 100});  // parts of 64 and 256 columns
  for (int64_t m : {63, 65, 129}) all.push_back({m, 200, 200});               // several parts of several blocks
  all.push_back({300, 130, 140});
  return all;
}

// C = A B by its definition.
Tensor by_definition(const Tensor& a, const Tensor& b) {
  const int64_t m = a.size(0), k = a.size(1), n = b.size(1);
  const std::vector<double> x = a.to(float64).to_vector<double>(), w = b.to(float64).to_vector<double>();
  std::vector<double> y(size_t(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = 0; j < n; ++j) y[size_t(i * n + j)] += x[size_t(i * k + p)] * w[size_t(p * n + j)];
  return from_vector(y, {m, n});
}

Tensor whole_numbers(const Shape& shape) { return randint(-4, 5, shape); }

// x with rows that lie `more` numbers further apart than they are long, or with columns that do.
Tensor laid_out(const Tensor& x, bool transposed, int64_t more) {
  const Tensor from = transposed ? x.transpose(0, 1) : x;
  Tensor wide = full({from.size(0), from.size(1) + more}, 1000, {.dtype = x.dtype()});
  wide = concat({from, narrow(wide, 1, 0, more)}, 1);
  const Tensor part = narrow(wide, 1, 0, from.size(1));
  return transposed ? part.transpose(0, 1) : part;
}

TEST(ProductBorders, EveryTileOfAProductIsTheSumOverTheInnerAxis) {
  manual_seed(7);
  int64_t count = 0;
  for (const auto& [m, n, k] : products()) {
    const Tensor a = whole_numbers({m, k}), b = whole_numbers({k, n}), bias = whole_numbers({n});
    const Tensor y = by_definition(a, b);
    for (const Dtype dtype : {float32, float64}) {
      const int64_t more = count++ % 3;
      for (int layout = 0; layout < 4; ++layout) {
        const Tensor left = laid_out(a.to(dtype), layout & 1, more), right = laid_out(b.to(dtype), layout & 2, more);
        const std::string what =
            to_string(Shape{m, n, k}) + " in " + to_string(dtype) + ", layout " + std::to_string(layout);
        const Inputs got = for_any_threads([&] {
          return Inputs{matmul(left, right), linear(left, right.transpose(0, 1), bias.to(dtype))};
        });
        expect_near(got, {y, y + bias.to(float64)}, what);
      }
    }
  }
}

TEST(ProductBorders, ProductsOfGradientsAreSumsToo) {
  manual_seed(8);
  for (const auto& [m, n, k] : {Product{130, 70, 65}, {17, 129, 257}, {5, 300, 130}, {64, 64, 64}})
    for (const Dtype dtype : {float32, float64}) {
      const Tensor x = whole_numbers({m, k}), w = whole_numbers({n, k}), bias = whole_numbers({n}),
                   dy = whole_numbers({m, n});
      const auto f = one([](const Inputs& in) { return linear(in[0], in[1], in[2]); });
      const Inputs got = for_any_threads([&] {
        return results_and_gradients(f, {x.to(dtype), w.to(dtype), bias.to(dtype)}, {dy.to(dtype)});
      });
      const Tensor ones_row = ones({1, m}, {.dtype = int64});
      expect_near(got,
                  {by_definition(x, w.transpose(0, 1)) + bias.to(float64), by_definition(dy, w),
                   by_definition(dy.transpose(0, 1), x), by_definition(ones_row, dy).squeeze(0)},
                  to_string(Shape{m, n, k}));
    }
}

}  // namespace
}  // namespace tapegrad::borders
