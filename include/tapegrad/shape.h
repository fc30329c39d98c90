// Shape: the sizes of a tensor, at most eight of them, kept in place (no allocation).
// Axis, Axes: which of them an operation goes along, or a reduction over.
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace tapegrad {

/// Up to eight sizes, in row-major order: the last runs fastest. Also used for strides.
class Shape {
 public:
  static constexpr int64_t max_dims = 8;

  Shape() = default;
  /// **Throws** ShapeError if there are more than eight.
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  /// **Throws** ShapeError if there are more than eight.
  explicit Shape(std::span<const int64_t> sizes);

  /// How many sizes there are: the number of axes, not of elements.
  int64_t size() const { return rank_; }
  /// Whether there are none: the shape of a number.
  bool empty() const { return rank_ == 0; }
  /// Size number i, which is in [0, size() - 1] and not checked.
  int64_t operator[](int64_t i) const { return sizes_[i]; }
  int64_t& operator[](int64_t i) { return sizes_[i]; }
  /// The first and the last size, of at least one, which is not checked.
  int64_t front() const { return sizes_[0]; }
  int64_t back() const { return sizes_[rank_ - 1]; }
  const int64_t* begin() const { return sizes_; }
  const int64_t* end() const { return sizes_ + rank_; }
  int64_t* begin() { return sizes_; }
  int64_t* end() { return sizes_ + rank_; }

  /// A size more, at the end. **Throws** ShapeError beyond eight.
  void push_back(int64_t size) { insert(rank_, size); }
  /// A size more, in front of number `at`, which is in [0, size()]. **Throws** ShapeError beyond eight.
  void insert(int64_t at, int64_t size);
  /// A size less: without number `at`, which is in [0, size() - 1].
  void erase(int64_t at);

  /// The product of the sizes (1 for none). **Throws** ShapeError if it overflows or a size is negative.
  int64_t numel() const;

  bool operator==(const Shape& other) const = default;

 private:
  int64_t rank_ = 0;
  int64_t sizes_[max_dims] = {};  // 0 behind the last
};

/// "[8, 32]".
std::string to_string(const Shape& shape);

/// An axis that follows a tensor, softmax(x, -1): a whole number, so that no fraction is taken for an axis in silence, as in
/// max(x, 0.5), which is meant to be maximum(x, 0.5).
class Axis {
 public:
  template <std::integral T>
  requires(!std::same_as<T, bool>) Axis(T axis) : axis_(int64_t(axis)) {}
  operator int64_t() const { return axis_; }

 private:
  int64_t axis_;
};

/// Axes of a reduction: one (`sum(x, -1)`), several (`mean(x, {0, 2})`); none given means all.
/// Negative axes count from the end.
class Axes {
 public:
  Axes() = default;
  // Templates, because GCC reads {.correction = 0} as a list of one number where a constructor takes a list.
  /// **Throws** ShapeError if there are more than eight.
  template <std::integral... T>
  requires(!std::same_as<T, bool> && ...) Axes(T... axes) : list_{int64_t(axes)...} {}
  template <std::same_as<Shape> T>
  explicit Axes(const T& axes) : list_(axes) {}
  /// As they were given; none for all.
  const Shape& list() const { return list_; }
  /// Whether none was given.
  bool all() const { return list_.empty(); }

 private:
  Shape list_;
};

/// The shape that `a` and `b` broadcast to, as in NumPy: sizes are compared from the last; they must be
/// equal, or one of them 1 or missing. **Throws** ShapeError, in which `op` names the operation.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

/// `axis` counted from the front, for a tensor of `rank` axes. **Throws** IndexError outside [-rank, rank -
/// 1], in which `op` names the operation.
int64_t wrap_axis(const char* op, int64_t axis, int64_t rank);

/// The strides of a contiguous tensor of this shape: [12, 4, 1] for [2, 3, 4].
Shape contiguous_strides(const Shape& shape);

namespace detail {
/// The index of element number `at` in row-major order: [1, 0] for 3 in [2, 3].
Shape index_of(int64_t at, const Shape& shape);
}  // namespace detail

}  // namespace tapegrad
