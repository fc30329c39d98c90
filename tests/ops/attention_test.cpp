// Attention against its definition, the definition written as a loop, and what a definition does not show: blocks, padding,
// queries that see nothing, NaN, threads, memory.
#include <tapegrad/memory.h>
#include <tapegrad/parallel.h>
#include <tapegrad/testing.h>

#include <cmath>
#include <limits>

#include "ops/expect.h"
#include "support/scale.h"

namespace tapegrad {
namespace {

using Values = std::vector<Tensor>;

struct Problem {
  Tensor q, k, v;
  AttentionOptions options;

  Problem(int64_t batch, int64_t heads, int64_t queries, int64_t keys, AttentionOptions o, Dtype dtype = float64,
          int64_t size = 8)
      : options(o) {
    manual_seed(uint64_t(queries * 1000 + keys));
    const auto leaf = [&](int64_t rows, int64_t width) {
      return randn({batch, heads, rows, width}, {.dtype = float64}).to(dtype).clone().set_requires_grad();
    };
    q = leaf(queries, size);
    k = leaf(keys, size);
    v = leaf(keys, size + 1);
  }
};

// y and the gradients of a random weighted sum of it, from the kernel or, where the backward pass is recorded, from the
// definition. The generator begins anew, so that masks are those of one call.
Values results(const Problem& p, bool by_definition = false) {
  Generator generator(5);
  AttentionOptions options = p.options;
  options.generator = &generator;
  Values leaves{p.q, p.k, p.v};
  if (options.attn_mask.defined() && options.attn_mask.requires_grad()) leaves.push_back(options.attn_mask);
  Tape tape;
  const Tensor y = scaled_dot_product_attention(p.q, p.k, p.v, options);
  manual_seed(2);
  const Tensor loss = sum(y * randn(y.shape(), {.dtype = float64}).to(y.dtype()));
  Values out{y.detach()};
  for (const Tensor& dx : tape.gradient(loss, leaves, {.create_graph = by_definition})) out.push_back(dx.detach());
  return out;
}

// One query after the other, in float64, from the formula alone.
Tensor looped(const Problem& p) {
  const int64_t batch = p.q.size(0), heads = p.q.size(1), queries = p.q.size(2), keys = p.k.size(2), e = p.q.size(3),
                ev = p.v.size(3);
  const auto q = p.q.to(float64).to_vector<double>(), k = p.k.to(float64).to_vector<double>(),
             v = p.v.to(float64).to_vector<double>();
  const AttentionOptions& o = p.options;
  std::vector<double> bias;
  std::vector<bool> hidden;
  const Shape scores{batch, heads, queries, keys};
  if (o.attn_mask.defined() && o.attn_mask.dtype() == boolean)
    hidden = logical_not(o.attn_mask).expand(scores).to_vector<bool>();
  if (o.attn_mask.defined() && o.attn_mask.dtype() != boolean)
    bias = o.attn_mask.to(float64).expand(scores).to_vector<double>();
  std::vector<double> y(size_t(batch * heads * queries * ev));
  for (int64_t row = 0; row < batch * heads; ++row)
    for (int64_t i = 0; i < queries; ++i) {
      std::vector<double> p_of(size_t(keys), 0.0);
      double total = 0;
      for (int64_t j = 0; j < keys; ++j) {
        const auto at = size_t((row * queries + i) * keys + j);
        if (o.is_causal && j > i + o.first_query) continue;
        if (o.lengths.defined() && j >= o.lengths.data<int64_t>()[size_t(row / heads)]) continue;
        if (!hidden.empty() && hidden[at]) continue;
        double s = 0;
        for (int64_t x = 0; x < e; ++x)
          s += q[size_t((row * queries + i) * e + x)] * k[size_t((row * keys + j) * e + x)];
        s *= o.scale.value_or(1 / std::sqrt(double(e)));
        if (!bias.empty()) s += bias[at];
        total += p_of[size_t(j)] = std::exp(s);
      }
      for (int64_t j = 0; j < keys; ++j)
        for (int64_t x = 0; total > 0 && p_of[size_t(j)] > 0 && x < ev; ++x)
          y[size_t((row * queries + i) * ev + x)] += p_of[size_t(j)] / total * v[size_t((row * keys + j) * ev + x)];
    }
  return from_vector(y, {batch, heads, queries, ev});
}

Tensor some_mask(const Shape& shape) { return bernoulli(shape, 0.6, {.dtype = boolean}); }

struct Case {
  const char* name;
  std::function<AttentionOptions(int64_t queries, int64_t keys, Dtype dtype)> options;
};
const Case kCases[] = {
    {"plain", [](int64_t, int64_t, Dtype) { return AttentionOptions{}; }},
    {"causal", [](int64_t, int64_t, Dtype) { return AttentionOptions{.is_causal = true, .scale = 0.3}; }},
    {"causal behind a cache",
     [](int64_t queries, int64_t keys, Dtype) {
       return AttentionOptions{.is_causal = true, .first_query = std::max<int64_t>(keys - queries, 0)};
     }},
    {"boolean mask",
     [](int64_t queries, int64_t keys, Dtype) {
       return AttentionOptions{.attn_mask = some_mask({2, 1, queries, keys})};
     }},
    {"mask of keys, causal",
     [](int64_t, int64_t keys, Dtype) {
       return AttentionOptions{.attn_mask = some_mask({2, 1, 1, keys}), .is_causal = true};
     }},
    {"additive mask",
     [](int64_t queries, int64_t keys, Dtype dtype) {
       return AttentionOptions{.attn_mask =
                                   randn({3, queries, keys}, {.dtype = float64}).to(dtype).clone().set_requires_grad()};
     }},
    {"lengths",
     [](int64_t, int64_t keys, Dtype) {
       return AttentionOptions{.lengths = from_vector(std::vector<int64_t>{keys / 2, keys}, {2})};
     }},
    {"lengths of 0, causal",
     [](int64_t, int64_t keys, Dtype) {
       return AttentionOptions{.is_causal = true, .lengths = from_vector(std::vector<int64_t>{keys, 0}, {2})};
     }},
    {"dropout", [](int64_t, int64_t, Dtype) { return AttentionOptions{.dropout_p = 0.3, .is_causal = true}; }},
};

// Blocks have 64 queries and 128 keys, or more keys for fewer queries.
const std::pair<int64_t, int64_t> kSizes[] = {{1, 1},   {1, 300},  {5, 7},     {63, 65},   {64, 64},
                                              {65, 63}, {65, 129}, {128, 128}, {130, 257}, {3, 5000}};

TEST(Attention, IsItsDefinitionAroundTheBordersOfItsBlocks) {
  for (const Dtype dtype : {float64, float32})
    for (const auto& [queries, keys] : kSizes)
      for (const Case& c : kCases) {
        manual_seed(1);
        const Problem problem(2, 3, queries, keys, c.options(queries, keys, dtype), dtype);
        SCOPED_TRACE(std::string(c.name) + " " + std::to_string(queries) + " x " + std::to_string(keys) + " " +
                     to_string(dtype));
        const double tolerance = dtype == float64 ? 1e-12 : 1e-5;
        const Values got = results(problem);
        expect_near_to_scale(got, results(problem, true), tolerance);
        if (problem.options.dropout_p == 0) expect_near_to_scale({got[0].to(float64)}, {looped(problem)}, tolerance);
      }
}

TEST(Attention, HasTheSameBitsForAnyNumberOfThreads) {
  const int before = get_num_threads();
  for (const Case& c : kCases) {
    manual_seed(1);
    const Problem problem(2, 3, 130, 257, c.options(130, 257, float32), float32);
    set_num_threads(1);
    const Values one = results(problem);
    for (int threads : {2, 3}) {
      set_num_threads(threads);
      const Values several = results(problem);
      for (size_t i = 0; i < one.size(); ++i)
        EXPECT_EQ(one[i].to_vector<float>(), several[i].to_vector<float>()) << c.name << " " << i;
    }
  }
  set_num_threads(before);
}

TEST(Attention, OfAQueryThatSeesNothingIsZeroAndSoAreItsGradients) {
  const Tensor mask = from_vector(std::vector<bool>{true, true, false, false}, {2, 2});
  for (const Tensor& hides :
       {mask, where(mask, 0.0, -std::numeric_limits<double>::infinity() * ones({2, 2}, {.dtype = float64}))}) {
    const Problem problem(1, 1, 2, 2, {.attn_mask = hides});
    const Values got = results(problem);
    EXPECT_TENSOR_NEAR(narrow(got[0], 2, 1, 1), zeros({1, 1, 1, 9}, {.dtype = float64}), 0);
    EXPECT_TENSOR_NEAR(narrow(got[1], 2, 1, 1), zeros({1, 1, 1, 8}, {.dtype = float64}), 0);
    for (const Tensor& x : got) EXPECT_THAT(x, IsFinite());
    EXPECT_GT(max(abs(got[1])).item(), 0);
  }
}

TEST(Attention, NeverReadsPadding) {
  for (const Dtype dtype : {float32, float64}) {
    Problem problem(2, 2, 70, 140, {.lengths = from_vector(std::vector<int64_t>{130, 0}, {2})}, dtype);
    const Values want = results(problem);
    const Tensor padding = ge(arange(140).unsqueeze(1), problem.options.lengths.reshape({2, 1, 1, 1}));
    for (Tensor* x : {&problem.k, &problem.v})
      *x = where(padding, std::nan(""), x->detach()).clone().set_requires_grad();
    const Values got = results(problem);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_TENSOR_NEAR(got[i], want[i], 0);
    EXPECT_TENSOR_NEAR(narrow(got[2], 2, 130, 10), zeros({2, 2, 10, 8}, {.dtype = dtype}), 0);
  }
}

TEST(Attention, KeepsNaNInItsRow) {
  Problem problem(2, 2, 70, 140, {}, float32);
  const Values want = results(problem);
  Tensor q = problem.q.detach().clone();
  q[0][1][3].fill_(std::nan(""));
  problem.q = q.set_requires_grad();
  const Values got = results(problem);
  EXPECT_TRUE(all(isnan(got[0][0][1][3])).item());
  EXPECT_EQ(sum(isnan(got[0]).to(float32)).item(), 9);  // one row of y, and no other
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TENSOR_NEAR(got[i][1], want[i][1], 0);
}

TEST(Attention, IsStableForLargeScores) {
  for (const double scale : {1e4, -1e4}) {
    const Problem problem(1, 1, 70, 200, {.scale = scale}, float32);
    for (const Tensor& x : results(problem)) EXPECT_THAT(x, IsFinite());
  }
}

TEST(Attention, OfOneKeyIsItsValue) {
  const Problem problem(2, 2, 5, 1, {});
  EXPECT_TENSOR_NEAR(results(problem)[0], problem.v.detach().expand({2, 2, 5, 9}).contiguous(), 1e-15);
}

TEST(Attention, DropsAsManyWeightsAsItWasAskedTo) {
  Generator generator(1);
  const Tensor q = zeros({4, 100, 2}), v = eye(100).expand({4, 100, 100});
  const Tensor p = scaled_dot_product_attention(q, q, v, {.dropout_p = 0.25, .generator = &generator});
  EXPECT_NEAR(mean(eq(p, 0.0).to(float32)).item(), 0.25, 0.01);
  EXPECT_NEAR(max(p).item(), 0.01 / 0.75, 1e-6);
  EXPECT_GT(generator.position, 0u);
  EXPECT_TENSOR_NEAR(scaled_dot_product_attention(q, q, v, {.dropout_p = 1}), zeros({4, 100, 100}), 0);
}

TEST(Attention, MakesNothingOfTheSizeOfAllScores) {
  if (reference_mode()) GTEST_SKIP() << "the definition does";
  const int64_t t = 1024;
  const auto peak = [](int64_t length) {
    const Problem problem(1, 2, length, length, {.is_causal = true}, float32);
    results(problem);
    memory::reset_peak();
    const size_t before = memory::stats().in_use;
    results(problem);
    return double(memory::stats().peak - before);
  };
  EXPECT_LT(peak(2 * t), 2.2 * peak(t));
}

TEST(Attention, LiesAsItsQueriesDo) {
  const Tensor x = randn({2, 6, 3 * 4, 8});  // a projection [B, T, 3 H, E]
  const Tensors parts = split(x, 4, 2);
  const auto head = [&](size_t i) { return parts[i].transpose(1, 2); };
  const Tensor y = scaled_dot_product_attention(head(0), head(1), head(2));
  EXPECT_EQ(y.shape(), (Shape{2, 4, 6, 8}));
  if (!reference_mode()) EXPECT_TRUE(y.transpose(1, 2).is_contiguous());
  EXPECT_TENSOR_NEAR(y, scaled_dot_product_attention(head(0).contiguous(), head(1).contiguous(), head(2).contiguous()),
                     1e-6);
}

TEST(Attention, SaysWhatDoesNotFit) {
  const Tensor q = zeros({2, 3, 4}), k = zeros({2, 5, 4}), v = zeros({2, 5, 6});
  const auto attend = [&](AttentionOptions options) { return scaled_dot_product_attention(q, k, v, options); };
  const std::string op = "scaled_dot_product_attention: ";
  EXPECT_EQ(message<ShapeError>([&] { scaled_dot_product_attention(q, v, k); }),
            op + "q must be [..., L, E], k [..., S, E] and v [..., S, Ev], got [2, 3, 4], [2, 5, 6] and [2, 5, 4]");
  EXPECT_EQ(message<ShapeError>([&] { scaled_dot_product_attention(q, k[0], v); }),
            op + "q must be [..., L, E], k [..., S, E] and v [..., S, Ev], got [2, 3, 4], [5, 4] and [2, 5, 6]");
  EXPECT_EQ(message<ValueError>([&] { attend({.dropout_p = 1.5}); }), op + "dropout_p must be in [0, 1], got 1.5");
  EXPECT_EQ(message<ValueError>([&] { attend({.first_query = -1}); }), op + "first_query must be at least 0, got -1");
  EXPECT_EQ(message<DtypeError>([&] {
              attend({.attn_mask = zeros({3, 5}, {.dtype = float64})});
            }),
            op + "attn_mask must be boolean or float32 as q, got float64");
  EXPECT_EQ(message<ShapeError>([&] {
              attend({.attn_mask = zeros({3, 3, 5})});
            }).substr(0, op.size() + 21),
            op + "shapes must broadcast");
  EXPECT_EQ(message<ShapeError>([&] {
              attend({.attn_mask = zeros({4, 1, 3, 5})});
            }),
            op + "attn_mask must broadcast to [..., L, S] [2, 3, 5], got [4, 1, 3, 5]");
  EXPECT_EQ(message<ShapeError>([&] { attend({.lengths = zeros({3}, {.dtype = int64})}); }),
            op + "lengths must be int64 [B] for q [B, ..., L, E] [2, 3, 4], got int64 [3]");
  EXPECT_EQ(message<IndexError>([&] {
              attend({.lengths = from_vector(std::vector<int64_t>{5, 6}, {2})});
            }),
            op + "lengths must be in [0, 5], got 6 for row 1");
}

}  // namespace
}  // namespace tapegrad
