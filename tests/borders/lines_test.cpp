// Operations that go along an axis: reductions, softmax, running sums, sorting. Each is compared with a plain loop over
// every line of n numbers of a tensor [outer, n, inner], values and gradients, at the sizes around which the code goes
// from one piece, strip, block or group of lanes to the next.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "borders/sizes.h"
#include "borders/slices.h"

namespace tapegrad::borders {
namespace {

using Numbers = std::vector<double>;

// What a line of x gives: its results, and dx for the cotangent of the first of them.
struct Line {
  std::vector<Numbers> y;
  Numbers dx;
};

enum class Values { ties, near_one, any };

struct LineOperation {
  std::string name;
  std::function<Inputs(const Tensor&)> f;  // along axis 1
  std::function<Line(const Numbers& x, const Numbers& dy)> loop;
  Values values = Values::any;
};

double total(const Numbers& x) { return std::accumulate(x.begin(), x.end(), 0.0); }
template <class F>
Numbers each(const Numbers& x, F f) {
  Numbers y(x.size());
  std::transform(x.begin(), x.end(), y.begin(), f);
  return y;
}
double largest(const Numbers& x) { return *std::max_element(x.begin(), x.end()); }
size_t first_of(const Numbers& x, double value) { return size_t(std::find(x.begin(), x.end(), value) - x.begin()); }
Numbers only(size_t n, size_t at, double value) {
  Numbers y(n, 0.0);
  y[at] = value;
  return y;
}
Numbers softmax_of(const Numbers& x) {
  const double top = largest(x);
  Numbers e = each(x, [=](double v) { return std::exp(v - top); });
  const double scale = total(e);
  return each(e, [=](double v) { return v / scale; });
}
double variance_of(const Numbers& x, double correction) {
  const double mean = total(x) / double(x.size());
  return total(each(x, [=](double v) { return (v - mean) * (v - mean); })) / (double(x.size()) - correction);
}

Line extreme(const Numbers& x, double dy, double best) {
  const auto equal = double(std::count(x.begin(), x.end(), best));
  return {{{best}}, each(x, [=](double v) { return v == best ? dy / equal : 0; })};
}
Line first_extreme(const Numbers& x, double dy, double best) {
  const size_t at = first_of(x, best);
  return {{{best}, {double(at)}}, only(x.size(), at, dy)};
}

Line sorted(const Numbers& x, const Numbers& dy, size_t count, bool descending) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return descending ? x[i] > x[j] : x[i] < x[j]; });
  Line line{{{}, {}}, Numbers(x.size(), 0.0)};
  for (size_t k = 0; k < count; ++k) {
    line.y[0].push_back(x[order[k]]);
    line.y[1].push_back(double(order[k]));
    line.dx[order[k]] = dy[k];
  }
  return line;
}

// A result that depends on x through its differences from the mean, with this slope.
Line spread(const Numbers& x, double y, double slope) {
  const double mean = total(x) / double(x.size());
  return {{{y}}, each(x, [=](double v) { return slope * (v - mean); })};
}

Inputs both(const ValuesAndIndices& result) { return {result.values, result.indices}; }

const std::vector<LineOperation> kOperations = {
    {"sum", [](const Tensor& x) { return Inputs{sum(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       return Line{{{total(x)}}, Numbers(x.size(), dy[0])};
     }},
    {"mean", [](const Tensor& x) { return Inputs{mean(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       const auto n = double(x.size());
       return Line{{{total(x) / n}}, Numbers(x.size(), dy[0] / n)};
     }},
    {"var", [](const Tensor& x) { return Inputs{var(x, 1, {.correction = 0})}; },
     [](const Numbers& x, const Numbers& dy) { return spread(x, variance_of(x, 0), 2 * dy[0] / double(x.size())); }},
    {"std", [](const Tensor& x) { return Inputs{tapegrad::std(x, 1, {.correction = -1})}; },
     [](const Numbers& x, const Numbers& dy) {
       const double y = std::sqrt(variance_of(x, -1));
       return spread(x, y, y > 0 ? dy[0] / (y * (double(x.size()) + 1)) : 0);
     }},
    {"norm", [](const Tensor& x) { return Inputs{norm(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       const double y = std::sqrt(total(each(x, [](double v) { return v * v; })));
       return Line{{{y}}, each(x, [&](double v) { return dy[0] * v / y; })};
     }},
    {"amax", [](const Tensor& x) { return Inputs{amax(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) { return extreme(x, dy[0], largest(x)); }, Values::ties},
    {"amin", [](const Tensor& x) { return Inputs{amin(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) { return extreme(x, dy[0], -largest(each(x, std::negate<>{}))); },
     Values::ties},
    {"max", [](const Tensor& x) { return both(max(x, 1)); },
     [](const Numbers& x, const Numbers& dy) { return first_extreme(x, dy[0], largest(x)); }, Values::ties},
    {"min", [](const Tensor& x) { return both(min(x, 1)); },
     [](const Numbers& x, const Numbers& dy) { return first_extreme(x, dy[0], -largest(each(x, std::negate<>{}))); },
     Values::ties},
    {"prod", [](const Tensor& x) { return Inputs{prod(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       const double y = std::accumulate(x.begin(), x.end(), 1.0, std::multiplies<>{});
       return Line{{{y}}, each(x, [&](double v) { return dy[0] * y / v; })};
     },
     Values::near_one},
    {"logsumexp", [](const Tensor& x) { return Inputs{logsumexp(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       const double top = largest(x);
       const double y = top + std::log(total(each(x, [=](double v) { return std::exp(v - top); })));
       return Line{{{y}}, each(softmax_of(x), [&](double p) { return dy[0] * p; })};
     }},
    {"softmax", [](const Tensor& x) { return Inputs{softmax(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       Line line{{softmax_of(x)}, dy};
       const double mean = std::inner_product(dy.begin(), dy.end(), line.y[0].begin(), 0.0);
       for (size_t k = 0; k < x.size(); ++k) line.dx[k] = line.y[0][k] * (dy[k] - mean);
       return line;
     }},
    {"log_softmax", [](const Tensor& x) { return Inputs{log_softmax(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       const Numbers p = softmax_of(x);
       Line line{{each(p, [](double v) { return std::log(v); })}, dy};
       const double sum_dy = total(dy);
       for (size_t k = 0; k < x.size(); ++k) line.dx[k] -= p[k] * sum_dy;
       return line;
     }},
    {"cumsum", [](const Tensor& x) { return Inputs{cumsum(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       Line line{{x}, dy};
       std::partial_sum(x.begin(), x.end(), line.y[0].begin());
       std::partial_sum(dy.rbegin(), dy.rend(), line.dx.rbegin());
       return line;
     }},
    {"cumprod", [](const Tensor& x) { return Inputs{cumprod(x, 1)}; },
     [](const Numbers& x, const Numbers& dy) {
       Line line{{x}, dy};
       std::partial_sum(x.begin(), x.end(), line.y[0].begin(), std::multiplies<>{});
       double rest = 0;
       for (size_t k = x.size(); k-- > 0;) line.dx[k] = (rest += dy[k] * line.y[0][k]) / x[k];
       return line;
     },
     Values::near_one},
    {"sort", [](const Tensor& x) { return both(sort(x, 1)); },
     [](const Numbers& x, const Numbers& dy) { return sorted(x, dy, x.size(), false); }, Values::ties},
    {"topk", [](const Tensor& x) { return both(topk(x, (x.size(1) + 1) / 2, 1)); },
     [](const Numbers& x, const Numbers& dy) { return sorted(x, dy, (x.size() + 1) / 2, true); }, Values::ties},
};

void PrintTo(const LineOperation& operation, std::ostream* out) { *out << operation.name; }

// x as [outer, n, inner], along n.
struct Box {
  int64_t outer, n, inner;
};

std::vector<Box> boxes() {
  std::vector<Box> all{{3, 1, 1}, {2, 1, 7}};
  for (int64_t n : beside({8, 16, kLanes, kLanes + 8})) all.push_back({3, n, 1});
  for (int64_t n : beside({4, 8})) all.push_back({2, n, 3});  // columns take four rows at a time
  for (int64_t n : beside({kExponentials, 2 * kExponentials})) all.push_back({2, n, 1});
  for (int64_t n : beside({kSoftmax, kFold})) all.push_back({2, n, 1});  // one row is more than a chunk
  for (int64_t inner : beside({kFoldColumns, 2 * kFoldColumns, kBestStrip, kSumStrip})) all.push_back({2, 5, inner});
  for (int64_t outer : around(kSoftmax / 100)) all.push_back({outer, 100, 1});
  for (int64_t outer : around(kFold / 150)) all.push_back({outer, 150, 1});
  for (int64_t outer : around(kFold / (10 * 11))) all.push_back({outer, 10, 11});
  for (int64_t outer : {1, 2, 4}) all.push_back({outer, 150, 2 * kFoldColumns + 2});  // 3, 6, 12 blocks, 3 a chunk
  for (int64_t n : around(kFold / 5)) all.push_back({1, n, 5});  // one block, so tall that it is cut
  return all;
}

Tensor numbers_of(const LineOperation& operation, const Box& box, Dtype dtype) {
  const Shape shape{box.outer, box.n, box.inner};
  if (operation.values == Values::ties) return randint(-40, 40, shape).to(dtype) / 8;
  const Tensor x = noise(shape, dtype);
  return operation.values == Values::near_one ? 1 + 0.002 * x : x;
}

// Puts the numbers of line (o, i) into y, [outer, count, inner].
void put(const Numbers& line, const Box& box, int64_t o, int64_t i, Numbers& y) {
  const auto count = int64_t(line.size());
  y.resize(size_t(box.outer * count * box.inner));
  for (int64_t k = 0; k < count; ++k) y[size_t((o * count + k) * box.inner + i)] = line[size_t(k)];
}

Numbers line_of(const Numbers& x, const Box& box, int64_t o, int64_t i) {
  const int64_t count = int64_t(x.size()) / (box.outer * box.inner);
  Numbers line(size_t(count), 0.0);
  for (int64_t k = 0; k < count; ++k) line[size_t(k)] = x[size_t((o * count + k) * box.inner + i)];
  return line;
}

void expect_lines(const LineOperation& operation, const Box& box, Dtype dtype) {
  const Tensor x = numbers_of(operation, box, dtype);
  const auto f = [&](const Inputs& in) { return operation.f(in[0]); };
  const Inputs dy = cotangents_of(operation.f(x));
  const Inputs got = for_any_threads([&] { return results_and_gradients(f, {x}, dy); });
  std::vector<Numbers> want(got.size());
  const Numbers in = x.to(float64).to_vector<double>(), g = dy[0].to(float64).to_vector<double>();
  for (int64_t o = 0; o < box.outer; ++o)
    for (int64_t i = 0; i < box.inner; ++i) {
      const Line line = operation.loop(line_of(in, box, o, i), line_of(g, box, o, i));
      for (size_t result = 0; result < line.y.size(); ++result) put(line.y[result], box, o, i, want[result]);
      put(line.dx, box, o, i, want.back());
    }
  Inputs tensors;
  for (size_t i = 0; i < got.size(); ++i) tensors.push_back(from_vector(want[i], got[i].shape()));
  // The composed form of prod() rounds every product on its way to float32.
  const double of_float32 = reference_mode() ? kOfFloat32InSteps : kOfFloat32;
  expect_near(got, tensors, operation.name + " in " + to_string(dtype) + " along axis 1 of " + to_string(x.shape()),
              of_float32);
}

class LineBorders : public ::testing::TestWithParam<LineOperation> {};

TEST_P(LineBorders, EqualAPlainLoopOverEachLine) {
  manual_seed(1);
  for (const Dtype dtype : {float32, float64})
    for (const Box& box : boxes()) expect_lines(GetParam(), box, dtype);
}

INSTANTIATE_TEST_SUITE_P(Of, LineBorders, ::testing::ValuesIn(kOperations),
                         [](const auto& info) { return info.param.name; });

// Indices alone, without the values, and values without the indices, are other loops.
TEST(LineBorders, ThePositionAloneIsThatOfTheValue) {
  manual_seed(2);
  for (const Box& box : boxes()) {
    const Tensor x = randint(-40, 40, {box.outer, box.n, box.inner});  // int64
    const auto [top, at] = max(x, 1);
    const auto [bottom, below] = min(x, 1);
    const Inputs alone = for_any_threads([&] { return Inputs{argmax(x, 1), argmin(x, 1), amax(x, 1), amin(x, 1)}; });
    expect_near(alone, {at, below, top, bottom}, "of " + to_string(x.shape()));
  }
}

}  // namespace
}  // namespace tapegrad::borders
