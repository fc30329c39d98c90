// File: tensor.h
//
// Tensor: a light handle to an array of numbers. Copying a handle shares the array; clone() copies it.
//
//   Tensor x = tensor({{1, 2}, {3, 4}});
//   x.shape();            // [2, 2]
//   x.transpose(0, 1);    // a view: the same numbers, other strides
//   relu(x) + 1.0         // arithmetic is free functions, see ops.h
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include <tapegrad/detail/ref.h>
#include <tapegrad/detail/small_vector.h>
#include <tapegrad/dtype.h>
#include <tapegrad/format.h>
#include <tapegrad/shape.h>

namespace tapegrad {

namespace detail {
struct TensorImpl;
void destroy(TensorImpl* impl) noexcept;
}  // namespace detail

class Tensor {
 public:
  /// A handle to nothing: defined() is false, and every use but assignment is an error.
  Tensor() = default;
  bool defined() const { return bool(impl_); }

  const Shape& shape() const;
  /// Size of one axis; negative axes count from the end.
  int64_t size(int64_t axis) const;
  /// Number of axes.
  int64_t dim() const;
  /// Number of elements.
  int64_t numel() const;
  Dtype dtype() const;
  /// Elements between neighbours along each axis; 0 along an expanded one.
  const Shape& strides() const;
  /// Whether the elements lie in memory in row-major order without gaps.
  bool is_contiguous() const;

  /// The value of a tensor of one element, as a double. Throws ShapeError if there are more or none.
  double item() const;
  /// The elements, in row-major order. T must be the tensor's type, and the tensor contiguous (else:
  /// contiguous()).
  template <class T>
  std::span<const T> data() const;
  /// The same to write to: counts as a change, so a tape that saved the old values will refuse to use them.
  template <class T>
  std::span<T> mutable_data();
  /// The elements in row-major order, copied; any strides, no conversion of type.
  template <class T>
  std::vector<T> to_vector() const;
  /// How often the memory behind this tensor was written to; views share it.
  uint32_t version() const;

  /// Whether gradients are accumulated into grad() when a tape goes backward over this leaf.
  bool requires_grad() const;
  /// Throws DtypeError unless floating, AutogradError on a tensor that a tape recorded.
  Tensor& set_requires_grad(bool requires_grad = true);
  /// The accumulated gradient; undefined before the first backward and after zero_grad().
  Tensor grad() const;
  void set_grad(Tensor grad);
  void zero_grad();
  /// Whether a live tape of this thread recorded how this tensor was made.
  bool is_recorded() const;
  /// backward() of the innermost live tape; see Tape::backward.
  void backward() const;

  /// The same memory as a plain value: no gradient flows through it.
  Tensor detach() const;
  /// A copy in memory of its own; the gradient flows through.
  Tensor clone() const;
  /// This tensor if it is contiguous, else a contiguous copy; the gradient flows through.
  Tensor contiguous() const;
  /// The same values in another type; between floating types the gradient flows through.
  Tensor to(Dtype dtype) const;
  /// Copies the values of `source` (broadcast) into this tensor, outside any tape.
  Tensor& copy_(const Tensor& source);
  /// Gives this tensor, in all handles to it, the memory, shape and dtype of `source`, and drops its
  /// gradient: how a module changes the dtype of its parameters.
  void set_data(const Tensor& source);
  Tensor& fill_(double value);
  Tensor& zero_() { return fill_(0); }

  // Views, recorded with their gradients: see ops/shape.h for each.
  Tensor reshape(const Shape& shape) const;
  Tensor view(const Shape& shape) const;
  Tensor flatten(int64_t first = 0, int64_t last = -1) const;
  Tensor transpose(int64_t axis0, int64_t axis1) const;
  Tensor permute(const Shape& axes) const;
  Tensor expand(const Shape& shape) const;
  Tensor squeeze(int64_t axis) const;
  Tensor unsqueeze(int64_t axis) const;
  /// Entry i of the first axis.
  Tensor operator[](int64_t i) const;

  explicit Tensor(detail::Ref<detail::TensorImpl> impl) : impl_(std::move(impl)) {}
  detail::TensorImpl* impl() const { return impl_.get(); }

 private:
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
  Dtype dtype = float32;
  bool requires_grad = false;
};

// Factories. `shape` must have no negative size. Random ones read default_generator().

/// Memory that was not written to (signalling NaN in debug builds).
Tensor empty(const Shape& shape, TensorOptions options = {});
Tensor zeros(const Shape& shape, TensorOptions options = {});
Tensor ones(const Shape& shape, TensorOptions options = {});
Tensor full(const Shape& shape, double value, TensorOptions options = {});
/// start, start + step, ... up to but without end.
Tensor arange(double start, double end, double step = 1, TensorOptions options = {.dtype = int64});
/// 0, 1, ..., end - 1.
Tensor arange(int64_t end, TensorOptions options = {.dtype = int64});
/// `steps` values from start to end, both included.
Tensor linspace(double start, double end, int64_t steps, TensorOptions options = {});
/// Ones on the diagonal of an n x n matrix.
Tensor eye(int64_t n, TensorOptions options = {});
/// Uniform in [0, 1).
Tensor rand(const Shape& shape, TensorOptions options = {});
/// Normal with mean 0 and variance 1 (Box and Muller).
Tensor randn(const Shape& shape, TensorOptions options = {});
/// Integers in [low, high).
Tensor randint(int64_t low, int64_t high, const Shape& shape, TensorOptions options = {.dtype = int64});
/// 1 with probability p, else 0.
Tensor bernoulli(const Shape& shape, double p, TensorOptions options = {});
/// 0 ... n - 1 in random order.
Tensor randperm(int64_t n, TensorOptions options = {.dtype = int64});

Tensor empty_like(const Tensor& x);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, double value);
Tensor rand_like(const Tensor& x);
Tensor randn_like(const Tensor& x);

/// A number, a row or rows of numbers: tensor(2.5), tensor({1, 2}), tensor({{1, 2}, {3, 4}}).
Tensor tensor(double value, TensorOptions options = {});
Tensor tensor(std::initializer_list<std::initializer_list<double>> rows, TensorOptions options = {});
namespace detail {
Tensor tensor_of(std::initializer_list<double> values, const TensorOptions& options);
}
// A template, because {{0}, {1}} could be either, and then what is no template goes first: rows.
template <int = 0>
Tensor tensor(std::initializer_list<double> values, TensorOptions options = {}) {
  return detail::tensor_of(values, options);
}
/// Values in row-major order for `shape`; T one of float, double, int64_t, bool gives the dtype.
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape);

}  // namespace tapegrad
