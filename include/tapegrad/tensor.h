// Tensor: a light handle to an array of numbers. Copying a handle shares the array; clone() copies it.
//
//   Tensor x = tensor({{1, 2}, {3, 4}});
//   x.shape();            // [2, 2]
//   x.transpose(0, 1);    // a view: the same numbers, other strides
//   relu(x) + 1.0         // arithmetic is free functions, see ops.h
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <tapegrad/detail/small_vector.h>
#include <tapegrad/detail/tensor_impl.h>
#include <tapegrad/format.h>

namespace tapegrad {

class Tensor;

namespace detail {
[[noreturn]] TensorImpl& fail_empty();
/// The values of x in row-major order: x itself where it is contiguous or undefined.
Tensor plain(const Tensor& x);
}  // namespace detail

/// A handle to an array.
class Tensor {
 public:
  /// A handle to nothing: defined() is false, and every use but assignment is a ValueError.
  Tensor() = default;
  Tensor(const Tensor& other) = default;
  Tensor(Tensor&& other) noexcept = default;
  /// Makes this handle one to what `other` refers to. No number is written: x.copy_(y) does that.
  Tensor& operator=(const Tensor& other) & = default;
  Tensor& operator=(Tensor&& other) & noexcept = default;
  void operator=(const Tensor& other) && = delete;  // x[i] = y would change nothing: write x[i].copy_(y)
  /// Whether the handle refers to an array.
  bool defined() const { return bool(impl_); }

  /// The sizes; [] for a number.
  const Shape& shape() const { return get().shape; }
  /// Size of one axis; negative axes count from the end. **Throws** IndexError for an axis that is not there.
  int64_t size(int64_t axis) const;
  /// Number of axes.
  int64_t dim() const { return shape().size(); }
  /// Number of elements.
  int64_t numel() const { return get().numel; }
  /// The type of the elements.
  Dtype dtype() const { return get().dtype; }
  /// Elements between neighbors along each axis; 0 along an expanded one.
  const Shape& strides() const { return get().strides; }
  /// Whether the elements lie in memory in row-major order without gaps.
  bool is_contiguous() const { return get().contiguous; }

  /// The value of a tensor of one element, as a double. **Throws** ShapeError if there are more or none.
  double item() const;
  /// The same in the tensor's own type, argmax(x).item<int64_t>(). **Throws** DtypeError too unless T is that type.
  template <Element T>
  T item() const;
  /// The elements, in row-major order, for as long as a handle to them lives: keep the tensor, not only the
  /// span. **Throws** DtypeError unless T is the tensor's type, ShapeError unless it is contiguous (else:
  /// contiguous()).
  template <class T>
  std::span<const T> data() const& {
    return {static_cast<const T*>(elements(dtype_of<T>, false)), size_t(numel())};
  }
  /// The same to write to: the call counts as a change, so a tape that saved the old values will refuse to
  /// use them. Call it anew after a forward pass: what is written through an older span no tape notices.
  template <class T>
  std::span<T> mutable_data() & {
    return {static_cast<T*>(elements(dtype_of<T>, true)), size_t(numel())};
  }
  // The memory of relu(x) would be gone before the span is read: give the tensor a name first, or take to_vector().
  template <class T>
  std::span<const T> data() const&& = delete;
  template <class T>
  std::span<T> mutable_data() && = delete;
  /// The elements in row-major order, copied; any strides. **Throws** DtypeError unless T is the tensor's type.
  template <class T>
  std::vector<T> to_vector() const {
    const Tensor x = detail::plain(*this);
    const std::span<const T> values = x.data<T>();
    return {values.begin(), values.end()};
  }
  /// How often the memory behind this tensor was written to; views share it.
  uint32_t version() const { return get().storage->version; }

  /// Whether gradients are accumulated into grad() when a tape goes backward over this leaf.
  bool requires_grad() const { return get().requires_grad; }
  /// **Throws** DtypeError unless floating, AutogradError on a tensor that a tape recorded.
  Tensor& set_requires_grad(bool requires_grad = true);
  /// The accumulated gradient; undefined before the first backward and after zero_grad().
  Tensor grad() const;
  /// Makes `grad` (or nothing, if undefined) the gradient; the handle is shared, not copied. Throws
  /// ShapeError or DtypeError if it is not like this tensor.
  void set_grad(Tensor grad);
  /// Drops the gradient: grad() is undefined until the next backward.
  void zero_grad();
  /// Whether a live tape of this thread recorded how this tensor was made.
  bool is_recorded() const;
  /// backward() of the innermost live tape; see Tape::backward.
  void backward() const;

  /// The same memory as a plain value: no gradient flows through it.
  [[nodiscard]] Tensor detach() const;
  /// A copy in memory of its own; the gradient flows through.
  [[nodiscard]] Tensor clone() const;
  /// This tensor if it is contiguous, else a contiguous copy; the gradient flows through.
  [[nodiscard]] Tensor contiguous() const;
  /// The same values in another type; between floating types the gradient flows through. To int64 the
  /// fraction is cut off, to boolean what is not 0 (NaN too) is true, as in NumPy. **Throws** ValueError for a
  /// NaN or a number that no int64 holds.
  [[nodiscard]] Tensor to(Dtype dtype) const;
  /// Copies the values of `source`, which broadcasts to this shape, into this tensor, which may be a view of part of
  /// another; nothing is recorded. With a gradient, index_put() and where() write.
  ///
  ///     x[0].copy_(row);                      // a row
  ///     select(x, 1, -1).fill_(7);            // a column
  ///     slice(x, 1, 0, to_end, 2).zero_();    // every second column
  ///     x.copy_(masked_fill(x, x < 0, 0));    // where a mask holds
  ///
  /// **Throws** DtypeError unless both have one dtype, ShapeError if the source does not broadcast or this is an
  /// expanded view, AutogradError where a tape would miss the change: see operator+=.
  Tensor& copy_(const Tensor& source);
  /// Gives this tensor, in all handles to it, the memory, shape and dtype of `source`, and drops its
  /// gradient: how a module changes the dtype of its parameters.
  void set_data(const Tensor& source);
  /// Writes `value` to every element; nothing is recorded. **Throws** DtypeError for a value that the dtype
  /// does not hold (see full()), else as copy_().
  Tensor& fill_(double value);
  /// fill_(0).
  Tensor& zero_() { return fill_(0); }

  // Views, recorded with their gradients: see ops/shape.h for each.
  [[nodiscard]] Tensor reshape(const Shape& shape) const;
  [[nodiscard]] Tensor view(const Shape& shape) const;
  [[nodiscard]] Tensor flatten(int64_t first = 0, int64_t last = -1) const;
  [[nodiscard]] Tensor transpose(int64_t axis0, int64_t axis1) const;
  [[nodiscard]] Tensor permute(const Shape& axes) const;
  [[nodiscard]] Tensor expand(const Shape& shape) const;
  [[nodiscard]] Tensor squeeze(int64_t axis) const;
  [[nodiscard]] Tensor unsqueeze(int64_t axis) const;
  /// Entry i of the first axis, a view; negative ones count from the end. **Throws** IndexError outside.
  Tensor operator[](int64_t i) const;

  // For operations: see detail/tensor_impl.h.
  explicit Tensor(detail::Ref<detail::TensorImpl> impl) : impl_(std::move(impl)) {}
  detail::TensorImpl* impl() const { return impl_.get(); }

 private:
  detail::TensorImpl& get() const { return impl_ ? *impl_ : detail::fail_empty(); }
  void* elements(Dtype wanted, bool to_write) const;
  detail::Ref<detail::TensorImpl> impl_;
};

/// Tensors in a row: the inputs or the outputs of an operation. Up to four need no memory of their own.
using Tensors = detail::SmallVector<Tensor, 4>;

/// The values aligned in columns and abbreviated beyond 1000 elements, as NumPy prints them, with shape and
/// dtype.
std::string to_string(const Tensor& tensor);
template <>
inline constexpr bool is_printable<Tensor> = true;

/// What a factory may be told.
struct TensorOptions {
  Dtype dtype = float32;       ///< of the elements
  bool requires_grad = false;  ///< accumulate a gradient for it: it is a leaf of the tapes that use it
};

namespace detail {
Tensor tensor_of(std::initializer_list<double> values, const TensorOptions& options);
Tensor integer_range(int64_t start, int64_t end, int64_t step, TensorOptions options);
}  // namespace detail

// Factories. Random ones read default_generator(). **Throws** (all of them) ShapeError for a negative size
// or more than eight, DtypeError for requires_grad on what is not floating. No value is lost in silence: an
// int64 tensor takes whole numbers up to 2^53 in magnitude (the doubles in which they are given hold no
// more), any other is a DtypeError; a boolean one takes any number, true unless it is 0, as in NumPy;
// floating ones round.

/// Memory that was not written to (signalling NaN in debug builds).
Tensor empty(const Shape& shape, TensorOptions options = {});
/// 0 everywhere.
Tensor zeros(const Shape& shape, TensorOptions options = {});
/// 1 everywhere.
Tensor ones(const Shape& shape, TensorOptions options = {});
/// `value` everywhere.
Tensor full(const Shape& shape, double value, TensorOptions options = {});
/// start, start + step, ... up to but without end, of shape [ceil((end - start) / step)] or [0]. As in
/// PyTorch the type follows the arguments: int64 if all are integers (or `options` says so), float32 if one
/// is floating. **Throws** ValueError if step is 0 or a number is not finite, DtypeError for a boolean
/// range.
///
///     arange(4);              // [0, 1, 2, 3] int64
///     arange(0, 1, 0.25);     // [0, 0.25, 0.5, 0.75] float32
Tensor arange(double start, double end, double step = 1, TensorOptions options = {});
template <std::integral A, std::integral B, std::integral C = int64_t>
Tensor arange(A start, B end, C step = 1, TensorOptions options = {.dtype = int64}) {
  return detail::integer_range(int64_t(start), int64_t(end), int64_t(step), options);
}
template <class T>
Tensor arange(T end, TensorOptions options = {.dtype = std::integral<T> ? int64 : float32}) {
  return arange(T(0), end, T(1), options);
}
/// `steps` values from start to end, both included, at equal distances. **Throws** ValueError for negative
/// steps.
Tensor linspace(double start, double end, int64_t steps, TensorOptions options = {});
/// Ones on the diagonal of an n x n matrix.
Tensor eye(int64_t n, TensorOptions options = {});
/// Uniform in [0, 1): 24 random bits in float32, 53 in float64. **Throws** DtypeError unless floating.
Tensor rand(const Shape& shape, TensorOptions options = {});
/// Normal with mean 0 and variance 1. **Throws** DtypeError unless floating. **Source**: Box and Muller
/// 1958, A Note on the Generation of Random Normal Deviates.
Tensor randn(const Shape& shape, TensorOptions options = {});
/// Integers, uniform in [low, high). **Throws** ValueError unless low < high, DtypeError for integers that
/// the dtype does not hold: beyond 2^24 in float32, 2^53 in float64, 0 and 1 in boolean.
Tensor randint(int64_t low, int64_t high, const Shape& shape, TensorOptions options = {.dtype = int64});
/// 1 with probability p, else 0. **Throws** ValueError unless p is in [0, 1].
Tensor bernoulli(const Shape& shape, double p, TensorOptions options = {});
/// 0 ... n - 1 in random order. **Throws** ValueError if n is negative, DtypeError as randint(0, n).
Tensor randperm(int64_t n, TensorOptions options = {.dtype = int64});

// The same with the shape and the dtype of x; no gradient.
Tensor empty_like(const Tensor& x);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, double value);
Tensor rand_like(const Tensor& x);
Tensor randn_like(const Tensor& x);

/// A number, a row or rows of numbers: tensor(2.5), tensor({1, 2}), tensor({{1, 2}, {3, 4}}). **Throws**
/// ShapeError for rows of different length.
Tensor tensor(double value, TensorOptions options = {});
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, TensorOptions options = {});
// A template, because {{0}, {1}} could be either, and then what is no template goes first: rows.
template <int = 0>
Tensor tensor(std::initializer_list<double> values, TensorOptions options = {}) {
  return detail::tensor_of(values, options);
}
/// Values in row-major order for `shape`; T one of float, double, int64_t, bool gives the dtype. **Throws**
/// ShapeError unless there are as many values as the shape has elements.
template <Element T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape);
/// Integers of other types, as int64, which must hold them all: no size_t.
template <std::integral T>
requires(!Element<T> && (sizeof(T) < 8 || std::signed_integral<T>)) Tensor
    from_vector(const std::vector<T>& values, const Shape& shape) {
  return from_vector(std::vector<int64_t>(values.begin(), values.end()), shape);
}

}  // namespace tapegrad
