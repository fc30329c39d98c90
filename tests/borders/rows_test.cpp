// Operations that go row by row, on more rows than one chunk has: normalization, cross-entropy, lookup, gathering, small
// products.
#include <gtest/gtest.h>

#include <cmath>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

// Rows of d numbers, then one weight and one bias of d.
RowOperation on_rows(const std::string& name, int64_t d, int64_t elements, std::function<Tensor(const Inputs&)> f) {
  return {.name = name,
          .f = one(std::move(f)),
          .inputs =
              [d](int64_t rows, Dtype dtype) {
                return Inputs{noise({rows, d}, dtype), noise({d}, dtype) + 1, noise({d}, dtype)};
              },
          .chunk = std::max<int64_t>(1, elements / d)};
}

std::vector<RowOperation> norms(int64_t d) {
  return {
      on_rows("layer_norm", d, kNorm, [d](const Inputs& in) { return layer_norm(in[0], {d}, in[1], in[2]); }),
      on_rows("layer_norm without a weight", d, kNorm,
              [d](const Inputs& in) { return layer_norm(in[0], {d}, {}, in[2]); }),
      on_rows("layer_norm without a bias", d, kNorm, [d](const Inputs& in) { return layer_norm(in[0], {d}, in[1]); }),
      on_rows("layer_norm without both", d, kNorm, [d](const Inputs& in) { return layer_norm(in[0], {d}); }),
      on_rows("rms_norm", d, kNorm, [d](const Inputs& in) { return rms_norm(in[0], {d}, in[1]); }),
      on_rows("rms_norm without a weight", d, kNorm, [d](const Inputs& in) { return rms_norm(in[0], {d}); }),
  };
}

TEST(RowBorders, EveryChunkOfANormIsThatOfItsSlice) {
  for (const int64_t d : {100, int(kNorm + 1)})  // some rows in a chunk, and one
    for (const RowOperation& operation : norms(d)) expect_slices(operation);
}

TEST(RowBorders, AMatrixOfMoreRowsThanThirtyTwoChunksHasLargerChunks) {
  const int64_t d = 8192;
  const std::vector<RowOperation> all = norms(d);
  for (const RowOperation& operation : {all.front(), all.back()})
    for (const int64_t rows : beside({kNormChunks * kNorm / d})) expect_slices(operation, rows, float32);
}

// The layers have a rule for each length of a row: 32 lanes, 8, one by one. Against the definition, made of operations.
TEST(RowBorders, ANormOfRowsOfAnyLengthIsItsDefinition) {
  manual_seed(3);
  for (const Dtype dtype : {float32, float64})
    for (const int64_t d : beside({2, 8, kLanes, kLanes + 8, 2 * kLanes}))
      for (const int64_t rows : {1, 3, 4, 5, 9}) {
        const Inputs inputs{noise({rows, d}, dtype), noise({d}, dtype), noise({d}, dtype)};
        const auto composed = [](const Tensor& x, const Tensor& centered, const Tensor& weight) {
          return (centered * rsqrt(mean(centered * centered, -1, {.keepdim = true}) + 1e-5) * weight).to(x.dtype());
        };
        const auto layer = one([&](const Inputs& in) { return layer_norm(in[0], {d}, in[1], in[2]); });
        const auto layer_by_definition = one([&](const Inputs& in) {
          const Tensor x = in[0].to(float64);
          return composed(in[0], x - mean(x, -1, {.keepdim = true}), in[1].to(float64)) + in[2];
        });
        const auto rms = one([&](const Inputs& in) { return rms_norm(in[0], {d}, in[1]) + in[2]; });
        const auto rms_by_definition =
            one([&](const Inputs& in) { return composed(in[0], in[0].to(float64), in[1].to(float64)) + in[2]; });
        const Inputs dy{noise({rows, d}, dtype)};
        const std::string what = to_string(Shape{rows, d}) + " in " + to_string(dtype);
        Inputs wide;
        for (const Tensor& x : inputs) wide.push_back(x.to(float64));
        const Inputs wide_dy{dy[0].to(float64)};
        expect_near(results_and_gradients(layer, inputs, dy), results_and_gradients(layer_by_definition, wide, wide_dy),
                    "layer_norm of " + what);
        expect_near(results_and_gradients(rms, inputs, dy), results_and_gradients(rms_by_definition, wide, wide_dy),
                    "rms_norm of " + what);
      }
}

// Every fifth label is ignored.
Tensor some_labels(int64_t rows, int64_t classes) {
  Tensor labels = randint(0, classes, {rows});
  for (int64_t i = 0; i < rows; i += 5) labels.mutable_data<int64_t>()[size_t(i)] = -100;
  return labels;
}

TEST(RowBorders, EveryChunkOfACrossEntropyIsThatOfItsSlice) {
  for (const int64_t classes : {100, int(kCrossEntropy + 1)})
    expect_slices({.name = "cross_entropy of " + std::to_string(classes) + " classes",
                   .f = one([](const Inputs& in) { return cross_entropy(in[0], in[1], {.reduction = Reduce::none}); }),
                   .inputs =
                       [=](int64_t rows, Dtype dtype) {
                         return Inputs{noise({rows, classes}, dtype), some_labels(rows, classes)};
                       },
                   .with_rows = 2,
                   .chunk = std::max<int64_t>(1, kCrossEntropy / classes)});
}

TEST(RowBorders, AMeanCrossEntropyIsThatOfItsRows) {
  manual_seed(4);
  for (const Dtype dtype : {float32, float64})
    for (const int64_t rows : around(kCrossEntropy / 100)) {
      const Tensor x = noise({rows, 100}, dtype), labels = some_labels(rows, 100);
      const double count = double(rows - (rows + 4) / 5);
      const auto mean_of = one([&](const Inputs& in) { return cross_entropy(in[0], labels); });
      const auto sum_of =
          one([&](const Inputs& in) { return sum(cross_entropy(in[0], labels, {.reduction = Reduce::none})) / count; });
      const Inputs dy{tensor(1.5, {.dtype = dtype})};
      expect_near(for_any_threads([&] { return results_and_gradients(mean_of, {x}, dy); }),
                  results_and_gradients(sum_of, {x.to(float64)}, {dy[0].to(float64)}), std::to_string(rows) + " rows");
    }
}

// One slot of a table, a matrix or a line for each index, in plain loops.
TEST(RowBorders, IndicesOfManyRowsPickAndAddWhatALoopDoes) {
  manual_seed(5);
  for (const Dtype dtype : {float32, float64})
    for (const int64_t rows : beside({64, 1024})) {
      const int64_t n = 13, d = 5;
      const Tensor table = noise({n, d}, dtype), index = randint(0, n, {rows}), dy = noise({rows, d}, dtype);
      const std::vector<int64_t> at = index.to_vector<int64_t>();
      const std::vector<double> values = table.to(float64).to_vector<double>(), g = dy.to(float64).to_vector<double>();
      std::vector<double> y(size_t(rows * d)), dtable(size_t(n * d)), padded(size_t(n * d));
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < d; ++j) {
          const auto from = size_t(at[size_t(i)] * d + j), to = size_t(i * d + j);
          y[to] = values[from];
          dtable[from] += g[to];
          if (at[size_t(i)] != 3) padded[from] += g[to];
        }
      const Tensor picked = from_vector(y, {rows, d}), added = from_vector(dtable, {n, d});
      const Tensor columns = index.unsqueeze(1).expand({rows, d});
      const std::pair<const char*, std::function<Tensor(const Tensor&)>> ways[] = {
          {"embedding", [&](const Tensor& w) { return embedding(w, index); }},
          {"index_select", [&](const Tensor& w) { return index_select(w, 0, index); }},
          {"index_select of columns",
           [&](const Tensor& w) { return index_select(w.transpose(0, 1), 1, index).transpose(0, 1); }},
          {"gather", [&](const Tensor& w) { return gather(w, 0, columns); }},
          {"gather of columns",
           [&](const Tensor& w) { return gather(w.transpose(0, 1), 1, columns.transpose(0, 1)).transpose(0, 1); }},
      };
      for (const auto& way : ways)
        expect_near(results_and_gradients(one([&](const Inputs& in) { return way.second(in[0]); }), {table}, {dy}),
                    {picked, added}, way.first);
      expect_near(
          results_and_gradients(one([&](const Inputs& in) { return embedding(in[0], index, {.padding_idx = 3}); }),
                                {table}, {dy}),
          {picked, from_vector(padded, {n, d})}, "embedding with padding");
      const Tensor zero = zeros({n, d}, {.dtype = dtype});
      expect_near({index_add(zero, 0, index, dy), scatter_add(zero, 0, columns, dy)}, {added, added}, "added");
    }
}

TEST(RowBorders, EveryChunkOfSmallProductsIsThatOfItsSlice) {
  const int64_t m = 12, k = 10, n = 16, chunk = kBatchedProduct / (m * k * n);
  const auto inputs = [=](const Shape& left, const Shape& right, bool shared) {
    return [=](int64_t rows, Dtype dtype) {
      Shape a = left, b = right;
      a.insert(0, rows);
      b.insert(0, shared ? 1 : rows);
      return Inputs{noise(a, dtype), noise(b, dtype)};
    };
  };
  const auto product = one([](const Inputs& in) { return matmul(in[0], in[1]); });
  expect_slices({"products", product, inputs({m, k}, {k, n}, false), 2, chunk});
  expect_slices({"products with one matrix", product, inputs({m, k}, {k, n}, true), 1, chunk});
  expect_slices({"products of transposed matrices",
                 one([](const Inputs& in) { return matmul(in[0].transpose(1, 2), in[1].transpose(1, 2)); }),
                 inputs({k, m}, {n, k}, false), 2, chunk});
}

}  // namespace
}  // namespace tapegrad::borders
