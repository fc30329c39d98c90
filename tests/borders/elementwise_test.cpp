// Elementwise operations on more elements than one chunk has: all of src/ops/ops.def that take one or two tensors, and
// every way in which two inputs can lie beside each other.
#include <gtest/gtest.h>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

struct Elementwise {
  std::string name;
  std::function<Tensor(const Inputs&)> f;
  std::vector<std::pair<double, double>> ranges;  // of the inputs
};

Elementwise of_one(std::function<Tensor(const Tensor&)> f, double low, double high) {
  return {"", [f](const Inputs& in) { return f(in[0]); }, {{low, high}}};
}
Elementwise of_two(std::function<Tensor(const Tensor&, const Tensor&)> f, double low_a, double high_a, double low_b,
                   double high_b) {
  return {"", [f](const Inputs& in) { return f(in[0], in[1]); }, {{low_a, high_a}, {low_b, high_b}}};
}
Elementwise named(const std::string& name, Elementwise operation) {
  operation.name = name;
  return operation;
}

Tensor uniform(const Shape& shape, Dtype dtype, std::pair<double, double> range) {
  return rand(shape, {.dtype = dtype}) * (range.second - range.first) + range.first;
}

// All operations of ops.def, those that need samples without a function.
#define TAPEGRAD_OP(name, ...) named(#name, __VA_ARGS__),
#define unary(f, low, high) of_one([](const Tensor& x) { return f(x); }, low, high)
#define unary_away(f, low, high, ...) of_one([](const Tensor& x) { return f(x); }, low, high)
#define binary(f, low_a, high_a, low_b, high_b) \
  of_two([](const Tensor& a, const Tensor& b) { return f(a, b); }, low_a, high_a, low_b, high_b)
#define samples(name) \
  Elementwise {}
const std::vector<Elementwise> kListed = {
#include "ops/ops.def"
};
#undef TAPEGRAD_OP
#undef unary
#undef unary_away
#undef binary
#undef samples

Tensor truth(const Tensor& x) { return x > 0.0; }

// What has a number beside a tensor, a mask as a result or as an input, or an option.
const std::vector<Elementwise> kOthers = {
    named("add a number", of_one([](const Tensor& x) { return x + 0.7; }, -2, 2)),
    named("subtract from a number", of_one([](const Tensor& x) { return 0.7 - x; }, -2, 2)),
    named("divide a number", of_one([](const Tensor& x) { return 0.7 / x; }, 0.5, 2)),
    named("power of a number", of_one([](const Tensor& x) { return pow(0.7, x); }, -2, 2)),
    named("power three", of_one([](const Tensor& x) { return pow(x, 3); }, -2, 2)),
    named("power half", of_one([](const Tensor& x) { return pow(x, 0.5); }, 0.5, 2)),
    named("clamp", of_one([](const Tensor& x) { return clamp(x, -0.4, 0.6); }, -2, 2)),
    named("gelu", of_one([](const Tensor& x) { return gelu(x); }, -2, 2)),
    named("gelu by tanh", of_one([](const Tensor& x) { return gelu(x, {.approximate = true}); }, -2, 2)),
    named("sign", of_one([](const Tensor& x) { return ne(sign(x), 1.0); }, -2, 2)),
    named("greater than a number", of_one(truth, -2, 2)),
    named("is less", of_two([](const Tensor& a, const Tensor& b) { return a < b; }, -2, 2, -2, 2)),
    named("is equal", of_two([](const Tensor& a, const Tensor& b) { return eq(sign(a), sign(b)); }, -2, 2, -2, 2)),
    named("is finite", of_one([](const Tensor& x) { return isfinite(1.0 / relu(x)); }, -2, 2)),
    named("not", of_one([](const Tensor& x) { return logical_not(truth(x)); }, -2, 2)),
    named("exclusive or",
          of_two([](const Tensor& a, const Tensor& b) { return logical_xor(truth(a), truth(b)); }, -2, 2, -2, 2)),
    named("choose", of_two([](const Tensor& a, const Tensor& b) { return where(truth(a * b), a, b); }, -2, 2, -2, 2)),
    named("choose a number", of_one([](const Tensor& a) { return where(truth(a), 0.5, a); }, -2, 2)),
    named("huber_loss",
          of_two([](const Tensor& a, const Tensor& b) { return huber_loss(a, b, {.reduction = Reduce::none}); }, -2, 2,
                 -2, 2)),
    named("bce_loss",
          of_two([](const Tensor& a, const Tensor& b) { return bce_loss(a, b, {.reduction = Reduce::none}); }, 0.1, 0.9,
                 0.1, 0.9)),
};

void expect_vectors(const Elementwise& operation) {
  expect_slices({.name = operation.name,
                 .f = one(operation.f),
                 .inputs =
                     [&](int64_t rows, Dtype dtype) {
                       Inputs in;
                       for (const auto& range : operation.ranges) in.push_back(uniform({rows}, dtype, range));
                       return in;
                     },
                 .with_rows = operation.ranges.size(),
                 .chunk = kElementwise});
}

TEST(ElementwiseBorders, EveryChunkOfAListedOperationIsThatOfItsSlice) {
  size_t tried = 0;
  for (const Elementwise& operation : kListed) {
    if (!operation.f) continue;
    expect_vectors(operation);
    ++tried;
  }
  EXPECT_GE(tried, 25u);
}

TEST(ElementwiseBorders, EveryChunkWithANumberAMaskOrAnOptionIsThatOfItsSlice) {
  for (const Elementwise& operation : kOthers) expect_vectors(operation);
}

// Both inputs as the views that they are: a row for each, one for all, a column, every second number, transposed.
struct Layout {
  const char* name;
  int64_t columns;
  bool shared_b;  // b has no rows
  std::function<Tensor(const Tensor&)> a, b;
  Shape b_row;
};

const auto kAsItIs = [](const Tensor& x) { return x; };

const Layout kLayouts[] = {
    {"rows and one row", 100, true, kAsItIs, kAsItIs, {100}},
    {"rows and a number", 100, true, kAsItIs, kAsItIs, {}},
    {"rows and a column", 100, false, kAsItIs, kAsItIs, {1}},
    {"rows and every second number",
     100,
     false,
     kAsItIs,
     [](const Tensor& x) { return slice(x, 1, 0, to_end, 2); },
     {200}},
    {"rows of half a matrix",
     64,
     false,
     [](const Tensor& x) { return narrow(x, 1, 1, 63); },
     [](const Tensor& x) { return narrow(x, 1, 0, 63); },
     {64}},
    {"a column and one row", 100, true, [](const Tensor& x) { return narrow(x, 1, 3, 1); }, kAsItIs, {100}},
    {"two columns that are repeated",
     100,
     false,
     [](const Tensor& x) {
       return narrow(x, 1, 3, 1).expand({-1, 100});
     },
     [](const Tensor& x) {
       return x.expand({-1, 100});
     },
     {1}},
    {"rows longer than a chunk", kElementwise + 1, true, kAsItIs, kAsItIs, {kElementwise + 1}},
};

TEST(ElementwiseBorders, EveryChunkOfRowsThatBroadcastIsThatOfItsSlice) {
  for (const Layout& layout : kLayouts) {
    expect_slices({.name = layout.name,
                   .f = one([&](const Inputs& in) { return layout.a(in[0]) * layout.b(in[1]) - layout.b(in[1]); }),
                   .inputs =
                       [&](int64_t rows, Dtype dtype) {
                         Shape of_b = layout.b_row;
                         if (!layout.shared_b) of_b.insert(0, rows);
                         return Inputs{noise({rows, layout.columns}, dtype), noise(of_b, dtype)};
                       },
                   .with_rows = layout.shared_b ? 1u : 2u,
                   .chunk = std::max<int64_t>(1, kElementwise / layout.columns)});
  }
}

// The same loops write into one of their inputs.
TEST(ElementwiseBorders, EveryChunkThatIsChangedInPlaceIsThatOfItsSlice) {
  const std::pair<const char*, void (*)(Tensor&, const Tensor&)> changes[] = {
      {"+=", [](Tensor& a, const Tensor& b) { a += b; }},
      {"-=", [](Tensor& a, const Tensor& b) { a -= b; }},
      {"*=", [](Tensor& a, const Tensor& b) { a *= b; }},
      {"/=", [](Tensor& a, const Tensor& b) { a /= b; }},
      {"+= itself", [](Tensor& a, const Tensor&) { a += a; }},
      {"+= a number", [](Tensor& a, const Tensor&) { a += 0.3; }},
      {"copy_", [](Tensor& a, const Tensor& b) { a.copy_(b); }},
      {"fill_", [](Tensor& a, const Tensor&) { a.fill_(0.3); }}};
  for (const auto& [name, change] : changes)
    expect_slices({.name = name,
                   .f = one([change = change](const Inputs& in) {
                     NoGrad no_grad;
                     Tensor a = in[0].clone();
                     change(a, in[1]);
                     return a;
                   }),
                   .inputs =
                       [](int64_t rows, Dtype dtype) {
                         return Inputs{uniform({rows}, dtype, {0.5, 2}), uniform({rows}, dtype, {0.5, 2})};
                       },
                   .with_rows = 2,
                   .chunk = kElementwise});
}

TEST(ElementwiseBorders, EveryBlockOfDropoutHasTheMaskOfItsPlaceAndNoOther) {
  for (const int64_t n :
       {1, 63, 64, 65, 127, 128, 129, int(kElementwise - 1), int(kElementwise), int(kElementwise + 65)})
    for (const Dtype dtype : {float32, float64}) {
      const Tensor x = ones({n}, {.dtype = dtype});
      const Inputs masks = for_any_threads([&] {
        manual_seed(4);
        const Tensor first = dropout(x, 0.5), second = dropout(x, 0.5);
        return Inputs{first, second};
      });
      // Word w of block counter c belongs to element 16 w + lane, in blocks of 64; the second call goes on behind it.
      const uint64_t key = Generator(4).key(), blocks = uint64_t((n + 63) / 64);
      for (size_t call = 0; call < 2; ++call) {
        const std::vector<double> mask = masks[call].to(float64).to_vector<double>();
        int64_t wrong = 0;
        for (int64_t i = 0; i < n; ++i) {
          const uint64_t counter = (call * blocks + uint64_t(i / 64)) * 16 + uint64_t(i % 16);
          const bool kept = philox(key, counter)[size_t(i % 64 / 16)] < 0x80000000u;
          wrong += mask[size_t(i)] != (kept ? 2.0 : 0.0);
        }
        EXPECT_EQ(wrong, 0) << "call " << call << " of " << n << " elements";
      }
    }
}

TEST(ElementwiseBorders, DropoutOfSeveralChunksGoesBackThroughTheSameMask) {
  for (const int64_t n : around(kElementwise)) {
    const Tensor x = (rand({n}) + 1.0).set_requires_grad();
    Tape tape;
    const Tensor y = dropout(x, 0.3);
    const Tensor dx = tape.gradient(sum(y), {x})[0];
    EXPECT_TRUE(all(eq(dx * x.detach(), y.detach())).item()) << n;
  }
}

}  // namespace
}  // namespace tapegrad::borders
