// Tensors from nothing: constants, ranges, random numbers, values given in the program.
#include <tapegrad/random.h>
#include <tapegrad/tensor.h>

#include <algorithm>
#include <cmath>

#include "core/fail.h"
#include "kernels/vector/math.h"
#include "tensor/impl.h"

namespace tapegrad {

Tensor empty(const Shape& shape, TensorOptions options) {
  if (options.requires_grad && !is_floating(options.dtype))
    fail<DtypeError>("tensor", "only float32 and float64 have gradients, got {}", options.dtype);
  Tensor x = detail::new_tensor(shape, options.dtype);
  x.impl()->requires_grad = options.requires_grad;
  return x;
}

namespace {

void check_held(const char* op, Dtype dtype, double value) {
  if (dtype == int64 && !(std::fabs(value) <= 0x1p53 && std::trunc(value) == value))
    fail<DtypeError>(op,
                     "int64 tensors take whole numbers up to 2^53 in magnitude, got {}. Hint: {{.dtype = float32}} for "
                     "fractions, from_vector() for larger integers",
                     value);
}

// Element i is f(i), in the tensor's type. Doubles are checked here; integers by the caller.
template <class F>
Tensor filled(const char* op, const Shape& shape, TensorOptions options, F f) {
  return detail::generate(empty(shape, options), [&](int64_t i) {
    const auto value = f(i);
    if constexpr (std::is_same_v<decltype(value), const double>) check_held(op, options.dtype, value);
    return value;
  });
}

// Element i is f of word i of the stream, 64 bits: the same whatever the size of the tensor and the threads.
template <class F>
Tensor random_filled(const Shape& shape, TensorOptions options, F f, Generator& generator = default_generator()) {
  const uint64_t key = generator.key(), first = generator.take(uint64_t((shape.numel() + 1) / 2));
  std::array<uint32_t, 4> block{};
  return filled("random", shape, options, [&](int64_t i) {
    if (i % 2 == 0) block = philox(key, first + uint64_t(i / 2));
    const uint32_t* half = &block[size_t(i % 2 * 2)];
    return f((uint64_t(half[0]) << 32) | half[1]);
  });
}

void check_fractions(const char* op, Dtype dtype) {
  if (!is_floating(dtype))
    fail<DtypeError>(op, "makes float32 or float64, got {}. Hint: randint() and bernoulli() make the others", dtype);
}

// Throws unless the dtype tells all integers from low to high apart.
void check_integers(const char* op, int64_t low, int64_t high, Dtype dtype) {
  const int64_t most = dtype == boolean ? 1 : int64_t(1) << (dtype == float32 ? 24 : 53);
  if (dtype != int64 && (low < (dtype == boolean ? 0 : -most) || high > most))
    fail<DtypeError>(op, "{} does not hold all integers in [{}, {}]. Hint: {{.dtype = int64}}", dtype, low, high);
}

void check_range(Dtype dtype) {
  if (dtype == boolean)
    fail<DtypeError>("arange", "boolean tensors have no range. Hint: compare an int64 one, arange(8) < 3");
}

}  // namespace

void detail::fill(const char* op, const Tensor& x, double value) {
  check_held(op, x.dtype(), value);
  dispatch_all(x.dtype(), [&]<class T>(T) { std::fill_n(mutable_ptr<T>(x), x.numel(), T(value)); });
}

Tensor full(const Shape& shape, double value, TensorOptions options) {
  Tensor x = empty(shape, options);
  detail::fill("full", x, value);
  return x;
}

Tensor zeros(const Shape& shape, TensorOptions options) { return full(shape, 0, options); }
Tensor ones(const Shape& shape, TensorOptions options) { return full(shape, 1, options); }

Tensor arange(double start, double end, double step, TensorOptions options) {
  if (step == 0 || !std::isfinite(start) || !std::isfinite(end) || !std::isfinite(step))
    fail<ValueError>("arange", "start, end and step must be finite and step not 0, got {}, {}, {}", start, end, step);
  check_range(options.dtype);
  const double n = std::max(0.0, std::ceil((end - start) / step));
  if (n >= 0x1p63) fail<ShapeError>("arange", "at most 2^63 - 1 elements, got {}", n);
  return filled("arange", {int64_t(n)}, options, [=](int64_t i) { return start + double(i) * step; });
}

Tensor detail::integer_range(int64_t start, int64_t end, int64_t step, TensorOptions options) {
  if (step == 0) fail<ValueError>("arange", "step must not be 0");
  check_range(options.dtype);
  const auto wide = static_cast<__int128>(end) - start;
  const auto n = wide / step + (wide % step != 0 && (wide > 0) == (step > 0));
  if (n > std::numeric_limits<int64_t>::max()) fail<ShapeError>("arange", "at most 2^63 - 1 elements");
  // Unsigned, as i * step may leave the range though the sum does not.
  return filled("arange", {n > 0 ? int64_t(n) : 0}, options,
                [=](int64_t i) { return int64_t(uint64_t(start) + uint64_t(i) * uint64_t(step)); });
}

Tensor linspace(double start, double end, int64_t steps, TensorOptions options) {
  if (steps < 0) fail<ValueError>("linspace", "steps must not be negative, got {}", steps);
  // From both ends, so that the last value is exactly `end`.
  return filled("linspace", {steps}, options, [=](int64_t i) {
    const double step = steps > 1 ? (end - start) / double(steps - 1) : 0;
    return 2 * i < steps ? start + double(i) * step : end - double(steps - 1 - i) * step;
  });
}

Tensor eye(int64_t n, TensorOptions options) {
  return filled("eye", {n, n}, options, [=](int64_t i) { return i % (n + 1) == 0; });
}

Tensor detail::uniform(const Shape& shape, TensorOptions options, Generator& generator) {
  check_fractions("rand", options.dtype);
  // As many bits as the dtype holds exactly, so that 1 never comes out by rounding.
  const int unused = options.dtype == float64 ? 11 : 40;
  const double unit = options.dtype == float64 ? 0x1p-53 : 0x1p-24;
  const auto f = [=](uint64_t word) { return double(word >> unused) * unit; };
  return random_filled(shape, options, f, generator);
}

Tensor rand(const Shape& shape, TensorOptions options) { return detail::uniform(shape, options, default_generator()); }

Tensor randn(const Shape& shape, TensorOptions options) {
  check_fractions("randn", options.dtype);
  // Box and Muller 1958: two uniform numbers make a radius and an angle. 1 - u is in (0, 1], so the log is
  // finite.
  return random_filled(shape, options, [](uint64_t word) {
    const double radius = std::sqrt(-2 * kernels::math::log(1 - double(word >> 32) * 0x1p-32));
    return radius * kernels::math::cos_of_turn(uint32_t(word));
  });
}

Tensor randint(int64_t low, int64_t high, const Shape& shape, TensorOptions options) {
  if (low >= high) fail<ValueError>("randint", "low must be less than high, got {} and {}", low, high);
  check_integers("randint", low, high - 1, options.dtype);
  const uint64_t range = uint64_t(high) - uint64_t(low);
  // The high half of a 64 x 64 bit product: no division; the bias is below range / 2^64.
  return random_filled(shape, options, [=](uint64_t word) {
    return low + int64_t((static_cast<unsigned __int128>(word) * range) >> 64);
  });
}

Tensor bernoulli(const Shape& shape, double p, TensorOptions options) {
  if (!(p >= 0 && p <= 1)) fail<ValueError>("bernoulli", "p must be in [0, 1], got {}", p);
  return random_filled(shape, options, [=](uint64_t word) { return double(word) * 0x1p-64 < p; });
}

Tensor randperm(int64_t n, TensorOptions options) {
  if (n < 0) fail<ValueError>("randperm", "n must not be negative, got {}", n);
  check_integers("randperm", 0, n - 1, options.dtype);
  std::vector<int64_t> order = arange(n).to_vector<int64_t>();
  // Fisher and Yates: each place gets one of those not placed yet.
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[size_t(i)], order[size_t(default_generator().below(i + 1))]);
  return filled("randperm", {n}, options, [&](int64_t i) { return order[size_t(i)]; });
}

Tensor empty_like(const Tensor& x) { return empty(x.shape(), {.dtype = x.dtype()}); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), {.dtype = x.dtype()}); }
Tensor ones_like(const Tensor& x) { return ones(x.shape(), {.dtype = x.dtype()}); }
Tensor full_like(const Tensor& x, double value) { return full(x.shape(), value, {.dtype = x.dtype()}); }
Tensor rand_like(const Tensor& x) { return rand(x.shape(), {.dtype = x.dtype()}); }
Tensor randn_like(const Tensor& x) { return randn(x.shape(), {.dtype = x.dtype()}); }

Tensor tensor(double value, TensorOptions options) {
  return filled("tensor", {}, options, [=](int64_t) { return value; });
}

Tensor detail::tensor_of(std::initializer_list<double> values, const TensorOptions& options) {
  return filled("tensor", {int64_t(values.size())}, options, [&](int64_t i) { return values.begin()[i]; });
}

Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, TensorOptions options) {
  if (rows.size() == 0) return detail::tensor_of({}, options);  // tensor({}) is a vector, as in NumPy
  const int64_t width = int64_t(rows.begin()->size());
  for (const auto& row : rows)
    if (int64_t(row.size()) != width)
      fail<ShapeError>("tensor", "all rows must have the same length, got {} and {}", width, row.size());
  return filled("tensor", {int64_t(rows.size()), width}, options,
                [&](int64_t i) { return rows.begin()[i / width].begin()[i % width]; });
}

template <Element T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  if (shape.numel() != int64_t(values.size()))
    fail<ShapeError>("from_vector", "shape {} has {} elements, got {} values", shape, shape.numel(), values.size());
  Tensor x = detail::new_tensor(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), detail::mutable_ptr<T>(x));
  return x;
}

template Tensor from_vector(const std::vector<float>&, const Shape&);
template Tensor from_vector(const std::vector<double>&, const Shape&);
template Tensor from_vector(const std::vector<int64_t>&, const Shape&);
template Tensor from_vector(const std::vector<bool>&, const Shape&);

}  // namespace tapegrad
