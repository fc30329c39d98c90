// Tensors that share memory: in place from a view of itself, products of rows that lie in each other, strided parameters.
#include <gtest/gtest.h>

#include "ops/expect.h"
#include "tensor/impl.h"

namespace tapegrad {
namespace {

using Numbers = std::vector<double>;

struct Change {
  const char* name;
  void (*in_place)(Tensor& a, const Tensor& b);
  double (*of_numbers)(double a, double b);
};

const Change kChanges[] = {
    {"+=", [](Tensor& a, const Tensor& b) { a += b; }, [](double a, double b) { return a + b; }},
    {"-=", [](Tensor& a, const Tensor& b) { a -= b; }, [](double a, double b) { return a - b; }},
    {"*=", [](Tensor& a, const Tensor& b) { a *= b; }, [](double a, double b) { return a * b; }},
    {"/=", [](Tensor& a, const Tensor& b) { a /= b; }, [](double a, double b) { return a / b; }},
    {"copy_", [](Tensor& a, const Tensor& b) { a.copy_(b); }, [](double, double b) { return b; }},
};

// What a part of a tensor is changed by: another part of the same memory, of the same shape or one that broadcasts.
struct Overlap {
  const char* name;
  Shape base;
  Tensor (*target)(const Tensor& base);
  Tensor (*source)(const Tensor& base);
};

const Overlap kOverlaps[] = {
    {"itself", {70000}, [](const Tensor& x) { return x.detach(); }, [](const Tensor& x) { return x.detach(); }},
    {"the element behind",
     {70001},
     [](const Tensor& x) { return narrow(x, 0, 0, 70000); },
     [](const Tensor& x) { return narrow(x, 0, 1, 70000); }},
    {"the element before",
     {70001},
     [](const Tensor& x) { return narrow(x, 0, 1, 70000); },
     [](const Tensor& x) { return narrow(x, 0, 0, 70000); }},
    {"the rows behind",
     {300, 250},
     [](const Tensor& x) { return narrow(x, 0, 0, 200); },
     [](const Tensor& x) { return narrow(x, 0, 100, 200); }},
    {"the rows before",
     {300, 250},
     [](const Tensor& x) { return narrow(x, 0, 100, 200); },
     [](const Tensor& x) { return narrow(x, 0, 0, 200); }},
    {"its transpose",
     {260, 260},
     [](const Tensor& x) { return x.detach(); },
     [](const Tensor& x) { return x.transpose(0, 1); }},
    {"its first row", {300, 250}, [](const Tensor& x) { return x.detach(); }, [](const Tensor& x) { return x[0]; }},
    {"its last row", {300, 250}, [](const Tensor& x) { return x.detach(); }, [](const Tensor& x) { return x[-1]; }},
    {"its last column",
     {300, 250},
     [](const Tensor& x) { return x.detach(); },
     [](const Tensor& x) { return narrow(x, 1, 249, 1); }},
    {"its first number", {70000}, [](const Tensor& x) { return x.detach(); }, [](const Tensor& x) { return x[0]; }},
    {"every second number",
     {70000},
     [](const Tensor& x) { return narrow(x, 0, 0, 35000); },
     [](const Tensor& x) { return slice(x, 0, 0, to_end, 2); }},
    {"every second number, further on",
     {70000},
     [](const Tensor& x) { return narrow(x, 0, 35000, 35000); },
     [](const Tensor& x) { return slice(x, 0, 1, to_end, 2); }},
    {"of every second number, the first half",
     {70000},
     [](const Tensor& x) { return slice(x, 0, 0, to_end, 2); },
     [](const Tensor& x) { return narrow(x, 0, 0, 35000); }},
    {"of a transpose, itself",
     {260, 260},
     [](const Tensor& x) { return x.transpose(0, 1); },
     [](const Tensor& x) { return x.detach(); }},
    {"of columns, one of them",
     {300, 250},
     [](const Tensor& x) { return slice(x, 1, 1, to_end, 3); },
     [](const Tensor& x) { return narrow(x, 1, 4, 1); }},
};

TEST(Overlap, WhatIsChangedInPlaceReadsTheOldValuesOfItsOwnMemory) {
  const int before = get_num_threads();
  for (const Overlap& overlap : kOverlaps)
    for (const Change& change : kChanges)
      for (const int threads : {1, 3}) {
        set_num_threads(threads);
        Tensor base = rand(overlap.base, {.dtype = float64}) + 1.0;
        Tensor target = overlap.target(base);
        const Numbers a = target.to_vector<double>(),
                      b = overlap.source(base).expand(target.shape()).to_vector<double>();
        change.in_place(target, overlap.source(base));
        const Numbers got = target.to_vector<double>();
        size_t wrong = 0;
        for (size_t i = 0; i < a.size(); ++i) wrong += got[i] != change.of_numbers(a[i], b[i]);
        EXPECT_EQ(wrong, 0u) << change.name << " " << overlap.name << " with " << threads << " threads";
      }
  set_num_threads(before);
}

TEST(Overlap, WhatIsChangedInPlaceLeavesTheRestOfItsMemory) {
  Tensor base = arange(12).to(float32).reshape({4, 3});
  Tensor rows = narrow(base, 0, 1, 2);
  rows += narrow(base, 0, 2, 2);
  EXPECT_EQ(base.to_vector<float>(), (std::vector<float>{0, 1, 2, 9, 11, 13, 15, 17, 19, 9, 10, 11}));
  rows.copy_(base[0]);
  EXPECT_EQ(base.to_vector<float>(), (std::vector<float>{0, 1, 2, 0, 1, 2, 0, 1, 2, 9, 10, 11}));
}

// c[i][j] = sum over k of a[i][k] b[k][j], read element by element.
Tensor naive_product(const Tensor& a, const Tensor& b) {
  const Numbers x = a.to_vector<double>(), w = b.to_vector<double>();
  const int64_t m = a.size(0), n = b.size(1), k = a.size(1);
  Numbers y(size_t(m * n));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t p = 0; p < k; ++p) y[size_t(i * n + j)] += x[size_t(i * k + p)] * w[size_t(p * n + j)];
  return from_vector(y, {m, n});
}

// Matrices of m rows and n columns whose rows or columns lie in each other, or apart.
std::vector<std::pair<const char*, Tensor>> matrices(int64_t m, int64_t n) {
  const Tensor numbers = gaussian({4 * m * n + m + n});
  const auto view = [&](const Shape& strides) { return detail::new_view(numbers, {m, n}, strides, 0); };
  return {{"rows as they are", view({n, 1})},
          {"columns as they are", view({1, m})},
          {"rows with gaps", view({n + 3, 1})},
          {"columns with gaps", view({1, m + 3})},
          {"windows", view({1, 1})},
          {"windows of every second", view({1, 2})},
          {"rows that share their ends", view({n > 1 ? n - 1 : 1, 1})},
          {"columns that share their ends", view({1, m > 1 ? m - 1 : 1})},
          {"one row, repeated", view({0, 1})},
          {"one column, repeated", view({1, 0})},
          {"one number, repeated", view({0, 0})},
          {"every second number", view({2 * n, 2})},
          {"every second number of columns", view({2, 2 * m})}};
}

TEST(Overlap, ProductsReadMatricesOfAnyStrides) {
  manual_seed(1);
  for (const auto& [m, n, k] :
       {std::array<int64_t, 3>{5, 6, 7}, {1, 4, 3}, {4, 1, 3}, {3, 4, 1}, {1, 1, 5}, {40, 33, 35}}) {
    const Tensor dy = gaussian({m, n});
    for (const auto& [left, a] : matrices(m, k))
      for (const auto& [right, b] : matrices(k, n)) {
        const Tensor x = a.detach().set_requires_grad(), w = b.detach().set_requires_grad();
        Tape tape;
        const Tensor y = matmul(x, w);
        const std::string what = fmt::format("{} times {}, {} x {} x {}", left, right, m, n, k);
        const auto near = [&](const Tensor& got, const Tensor& want) {
          EXPECT_LT(max(abs(got.detach() - want)).item(), 1e-12) << what;
        };
        near(y, naive_product(a, b));
        const std::vector<Tensor> d = tape.gradient(y, {x, w}, {.gradient = dy});
        near(d[0], naive_product(dy, b.transpose(0, 1)));
        near(d[1], naive_product(a.transpose(0, 1), dy));
        near(linear(a, b.transpose(0, 1), dy[0]), naive_product(a, b) + dy[0]);
      }
  }
}

TEST(Overlap, ProductsOfBatchesReadMatricesOfAnyStrides) {
  manual_seed(2);
  const Tensor numbers = gaussian({200});
  const Tensor b = gaussian({4, 2});
  // Batches that lie in each other, backwards of the order of their axes, or are one and the same.
  for (const Shape& strides :
       {Shape{12, 4, 1}, Shape{1, 4, 1}, Shape{0, 4, 1}, Shape{1, 5, 20}, Shape{3, 1, 1}, Shape{2, 0, 9}}) {
    const Tensor a = detail::new_view(numbers, {5, 3, 4}, strides, 0);
    const Tensor y = matmul(a, b), together = matmul(a, a.transpose(1, 2));
    for (int64_t i = 0; i < 5; ++i) {
      expect_near(y[i], naive_product(a[i], b).to_vector<double>());
      expect_near(together[i], naive_product(a[i], a[i].transpose(0, 1)).to_vector<double>());
    }
  }
}

// The parameters of a layer as views: every second number, one number for all, a column.
TEST(Overlap, LayersReadParametersOfAnyStrides) {
  manual_seed(3);
  const Tensor numbers = gaussian({20}) + 2.0;
  const Tensor x = gaussian({6, 5}), weight = gaussian({5, 5}), target = randint(0, 5, {6});
  for (const int64_t stride : {0, 1, 2, 3}) {
    const Tensor p = detail::new_view(numbers, {5}, {stride}, 1), plain = p.contiguous();
    const auto same = [&](auto layer, const char* name) {
      expect_near(layer(p), layer(plain).template to_vector<double>(), 1e-14);
      if (testing::Test::HasFailure()) FAIL() << name << " with stride " << stride;
    };
    same([&](const Tensor& p) { return linear(x, weight, p); }, "linear");
    same([&](const Tensor& p) { return layer_norm(x, {5}, p, p); }, "layer_norm");
    same([&](const Tensor& p) { return layer_norm(x, {5}, {}, p); }, "layer_norm without a weight");
    same([&](const Tensor& p) { return rms_norm(x, {5}, p); }, "rms_norm");
    same([&](const Tensor& p) { return batch_norm(x, {}, {}, p, p, {.training = true}); }, "batch_norm");
    same([&](const Tensor& p) { return batch_norm(x, p, p, p, p); }, "batch_norm, evaluation");
    same([&](const Tensor& p) { return cross_entropy(x, target, {.weight = p}); }, "cross_entropy");
    same([&](const Tensor& p) { return nll_loss(log_softmax(x), target, {.weight = p}); }, "nll_loss");
    same([&](const Tensor& p) { return bce_with_logits_loss(x, sigmoid(x), {.pos_weight = p}); },
         "bce_with_logits_loss");
  }
}

}  // namespace
}  // namespace tapegrad
