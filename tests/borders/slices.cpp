#include "borders/slices.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "borders/sizes.h"

namespace tapegrad::borders {

namespace {

// Numbers of any type as float64, which all of them fit that occur here.
std::vector<double> numbers(const Tensor& x) { return x.to(float64).to_vector<double>(); }

template <class T>
bool same_numbers(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous(), y = b.contiguous();
  return std::ranges::equal(x.data<T>(), y.data<T>());
}

bool are_equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  switch (a.dtype()) {
    case float32: return same_numbers<float>(a, b);
    case float64: return same_numbers<double>(a, b);
    case int64: return same_numbers<int64_t>(a, b);
    case boolean: break;
  }
  return same_numbers<bool>(a, b);
}

}  // namespace

Tensor noise(const Shape& shape, Dtype dtype) { return rand(shape, {.dtype = dtype}) * 3.0 - 1.5; }

std::function<Inputs(const Inputs&)> one(std::function<Tensor(const Inputs&)> f) {
  return [f](const Inputs& in) { return Inputs{f(in)}; };
}

Inputs cotangents_of(const Inputs& results) {
  Inputs dy;
  for (const Tensor& y : results) dy.push_back(is_floating(y.dtype()) ? noise(y.shape(), y.dtype()) : Tensor());
  return dy;
}

Inputs results_and_gradients(const std::function<Inputs(const Inputs&)>& f, const Inputs& inputs,
                             const Inputs& cotangents) {
  Inputs leaves, wanted;
  for (const Tensor& x : inputs) {
    leaves.push_back(x.detach());
    if (is_floating(x.dtype())) wanted.push_back(leaves.back().set_requires_grad());
  }
  Tape tape;
  Inputs all = f(leaves);
  Tensor loss;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!cotangents[i].defined()) continue;
    const Tensor part = sum(all[i] * cotangents[i]);
    loss = loss.defined() ? loss + part : part;
  }
  if (!loss.defined() || !loss.is_recorded()) return all;
  for (const Tensor& dx : tape.gradient(loss, wanted)) all.push_back(dx);
  return all;
}

Inputs for_any_threads(const std::function<Inputs()>& make) {
  const int before = get_num_threads();
  set_num_threads(1);
  const Inputs alone = make();
  for (int threads : {2, 3}) {
    set_num_threads(threads);
    const Inputs together = make();
    EXPECT_EQ(together.size(), alone.size());
    for (size_t i = 0; i < std::min(together.size(), alone.size()); ++i)
      EXPECT_TRUE(are_equal(together[i], alone[i])) << "result " << i << " differs with " << threads << " threads";
  }
  set_num_threads(before);
  return alone;
}

void expect_near(const Inputs& got, const Inputs& want, const std::string& what, double of_float32) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].shape(), want[i].shape()) << what << ", result " << i;
    const std::vector<double> a = numbers(got[i]), b = numbers(want[i]);
    double largest = 1;
    for (double value : b) largest = std::max(largest, std::abs(value));
    const double tolerance = !is_floating(got[i].dtype()) ? 0 : got[i].dtype() == float64 ? 1e-12 : of_float32;
    size_t wrong = 0, first = 0;
    for (size_t k = a.size(); k-- > 0;)
      if (!(std::abs(a[k] - b[k]) <= tolerance * largest)) {
        ++wrong;
        first = k;
      }
    EXPECT_EQ(wrong, 0u) << what << ", result " << i << " of shape " << to_string(got[i].shape()) << ": " << wrong
                         << " of " << a.size() << " numbers differ, the first at " << first << ", "
                         << (wrong ? a[first] : 0) << " in place of " << (wrong ? b[first] : 0);
  }
}

void expect_slices(const RowOperation& operation, int64_t rows, Dtype dtype) {
  const std::string what = operation.name + " of " + std::to_string(rows) + " rows in " + to_string(dtype);
  const Inputs inputs = operation.inputs(rows, dtype);
  const Inputs dy = cotangents_of(operation.f(inputs));
  const Inputs whole = for_any_threads([&] { return results_and_gradients(operation.f, inputs, dy); });

  const auto widened = [](const Tensor& x) { return x.defined() && is_floating(x.dtype()) ? x.to(float64) : x; };
  std::vector<Inputs> parts(whole.size());
  const int64_t size = std::min(rows, operation.chunk / 9 + 1);
  for (int64_t first = 0; first < rows; first += size) {
    const int64_t n = std::min(size, rows - first);
    Inputs in, dy_of_slice;
    for (size_t i = 0; i < inputs.size(); ++i)
      in.push_back(widened(i < operation.with_rows ? narrow(inputs[i], 0, first, n) : inputs[i]).clone());
    for (const Tensor& g : dy) dy_of_slice.push_back(g.defined() ? widened(narrow(g, 0, first, n)) : g);
    const Inputs results = results_and_gradients(operation.f, in, dy_of_slice);
    for (size_t i = 0; i < results.size(); ++i) parts[i].push_back(results[i]);
  }
  // Of the results and of the gradients of inputs with rows the slices stand one after the other; others are sums.
  size_t in_rows = dy.size();
  for (size_t i = 0; i < operation.with_rows; ++i) in_rows += is_floating(inputs[i].dtype());
  Inputs want;
  for (size_t i = 0; i < parts.size(); ++i) want.push_back(i < in_rows ? concat(parts[i]) : sum(stack(parts[i]), 0));
  expect_near(whole, want, what, operation.of_float32);
}

void expect_slices(const RowOperation& operation) {
  for (const Dtype dtype : {float32, float64})
    for (const int64_t rows : around(operation.chunk)) {
      if (rows < 1) continue;
      manual_seed(uint64_t(rows));
      expect_slices(operation, rows, dtype);
    }
}

}  // namespace tapegrad::borders
