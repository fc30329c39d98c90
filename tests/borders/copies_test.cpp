// Copies of strided tensors: by rows, in tiles where two axes are exchanged, number by number; and rows picked into a batch.
#include <gtest/gtest.h>
#include <tapegrad/tapegrad.h>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

// Where the numbers of a view stand in the memory of its base, by its shape and strides: the definition.
std::vector<size_t> places(const Tensor& view) {
  std::vector<size_t> all;
  const Shape shape = view.shape(), strides = view.strides();
  for (int64_t i = 0; i < view.numel(); ++i) {
    int64_t rest = i, at = 0;
    for (int64_t axis = view.dim() - 1; axis >= 0; --axis) {
      at += rest % shape[axis] * strides[axis];
      rest /= shape[axis];
    }
    all.push_back(size_t(at));
  }
  return all;
}

struct View {
  const char* name;
  Tensor (*of)(const Tensor& x);
};

// All begin where their base begins.
const View kViews[] = {
    {"as it lies", [](const Tensor& x) { return x.reshape(x.shape()); }},
    {"last two exchanged", [](const Tensor& x) { return x.transpose(1, 2); }},
    {"first and last exchanged", [](const Tensor& x) { return x.transpose(0, 2); }},
    {"first two exchanged", [](const Tensor& x) { return x.transpose(0, 1); }},
    {"turned",
     [](const Tensor& x) {
       return x.permute({2, 0, 1});
     }},
    {"turned back",
     [](const Tensor& x) {
       return x.permute({1, 2, 0});
     }},
    {"every second", [](const Tensor& x) { return slice(x, 2, 0, to_end, 2); }},
    {"every third, exchanged", [](const Tensor& x) { return slice(x, 1, 0, to_end, 3).transpose(1, 2); }},
    {"a part, exchanged", [](const Tensor& x) { return narrow(x, 2, 0, x.size(2) / 2 + 1).transpose(1, 2); }},
    {"a column", [](const Tensor& x) { return select(x, 2, 0); }},
    {"repeated",
     [](const Tensor& x) {
       return x.unsqueeze(1).expand({-1, 2, -1, -1});
     }},
    {"repeated and exchanged",
     [](const Tensor& x) {
       return narrow(x, 2, 0, 1).expand({-1, -1, 5}).transpose(1, 2);
     }},
};

void expect_copies(const Shape& shape, Dtype dtype) {
  const Tensor x = (arange(shape.numel()) * 7).reshape(shape).to(dtype);
  const std::vector<double> base = x.to(float64).to_vector<double>();
  for (const View& view : kViews) {
    const Tensor y = view.of(x);
    std::vector<double> want;
    for (size_t place : places(y)) want.push_back(base[place]);
    Tensor target = zeros(y.shape(), {.dtype = dtype});
    target.copy_(y);
    const Tensor all = from_vector(want, y.shape());
    const std::string what = std::string(view.name) + " of " + to_string(shape) + " in " + to_string(dtype);
    expect_near({y, y.contiguous(), y.clone(), target, where(y >= 0.0, y, 0.0)}, {all, all, all, all, all}, what);

    if (!is_floating(dtype)) continue;
    const Tensor dy = randint(-9, 9, y.shape()).to(dtype);
    const std::vector<double> g = dy.to(float64).to_vector<double>();
    std::vector<double> dx(base.size());
    const std::vector<size_t> to = places(y);
    for (size_t i = 0; i < to.size(); ++i) dx[to[i]] += g[i];
    expect_near(results_and_gradients(one([&](const Inputs& in) { return view.of(in[0]); }), {x}, {dy}),
                {all, from_vector(dx, shape)}, what);
  }
}

TEST(CopyBorders, EveryTileOfAViewIsWhereItsStridesSay) {
  for (const int64_t rows : beside({kTransposed, 2 * kTransposed}))
    for (const int64_t columns : beside({kTransposed, 2 * kTransposed})) {
      expect_copies({3, rows, columns}, float32);
      expect_copies({2, rows, columns}, float64);
    }
  expect_copies({2, 17, 33}, int64);
  expect_copies({1, 1, 40}, float32);
  expect_copies({40, 1, 2}, float64);
}

TEST(CopyBorders, ReversedAxesAreReadFromTheirEnd) {
  for (const int64_t columns : beside({kTransposed})) {
    const Tensor x = arange(3 * 5 * columns).reshape({3, 5, columns});
    const std::vector<int64_t> in = x.to_vector<int64_t>();
    const auto expect = [&](const Shape& axes, auto place) {
      std::vector<int64_t> want;
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 5; ++j)
          for (int64_t k = 0; k < columns; ++k) want.push_back(in[size_t(place(i, j, k))]);
      EXPECT_EQ(flip(x, axes).to_vector<int64_t>(), want) << to_string(axes) << " of " << columns << " columns";
    };
    const int64_t n = columns;
    expect({0}, [=](int64_t i, int64_t j, int64_t k) { return ((2 - i) * 5 + j) * n + k; });
    expect({1}, [=](int64_t i, int64_t j, int64_t k) { return (i * 5 + 4 - j) * n + k; });
    expect({2}, [=](int64_t i, int64_t j, int64_t k) { return (i * 5 + j) * n + n - 1 - k; });
    expect({2, 0}, [=](int64_t i, int64_t j, int64_t k) { return ((2 - i) * 5 + j) * n + n - 1 - k; });
    expect({0, 1, 2}, [=](int64_t i, int64_t j, int64_t k) { return ((2 - i) * 5 + 4 - j) * n + n - 1 - k; });
  }
}

TEST(CopyBorders, PartsArePutTogetherInEveryAxis) {
  manual_seed(6);
  for (const int64_t columns : beside({kTransposed, 64}))
    for (const int64_t axis : {0, 1, 2}) {
      const Tensor x = randn({5, 7, columns}), dy = randn({5, 7, columns});
      const Tensor turned = x.transpose(0, 2).contiguous().transpose(0, 2);  // the same numbers in another order
      const int64_t size = x.size(axis), first = size / 3;
      for (const Tensor& from : {x, turned}) {
        const auto joined = one([&](const Inputs& in) {
          return concat({narrow(in[0], axis, 0, first), narrow(in[0], axis, first, size - first)}, axis);
        });
        expect_near(results_and_gradients(joined, {from}, {dy}), {x, dy}, "concat");
        const auto stacked = one([&](const Inputs& in) { return stack(unbind(in[0], axis), axis); });
        expect_near(results_and_gradients(stacked, {from}, {dy}), {x, dy}, "stack");
      }
    }
}

TEST(CopyBorders, RowsOfABatchAreThoseOfTheirIndices) {
  const int64_t d = 25;
  for (const int64_t n : around(kRowBytes / (d * 4))) {
    const Tensor x = arange(n * d).to(float32).reshape({n, d}), y = arange(n);
    const data::TensorDataset set(x, y);
    std::vector<int64_t> order;
    for (int64_t i = 0; i < n; ++i) order.push_back((i * 7 + 3) % n);
    const Inputs batch = for_any_threads([&] {
      const data::Batch rows = set.get(order);
      return Inputs{rows.x, rows.y};
    });
    const Tensor at = from_vector(order, {n});
    expect_near(batch, {index_select(x, 0, at), at}, std::to_string(n) + " rows");
  }
}

}  // namespace
}  // namespace tapegrad::borders
