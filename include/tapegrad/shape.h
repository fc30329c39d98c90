// File: shape.h
//
// Shape: the sizes of a tensor, at most eight of them, kept in place (no allocation).
// Axes: which of them a reduction goes over.
#pragma once
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
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  /// Throws ShapeError if there are more than eight.
  explicit Shape(std::span<const int64_t> sizes);
  Shape(const Shape& other) { *this = other; }
  Shape& operator=(const Shape& other) {
    rank_ = other.rank_;
    for (int i = 0; i < rank_; ++i) sizes_[i] = other.sizes_[i];
    return *this;
  }

  int64_t size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int64_t i) const { return sizes_[i]; }
  int64_t& operator[](int64_t i) { return sizes_[i]; }
  int64_t front() const { return sizes_[0]; }
  int64_t back() const { return sizes_[rank_ - 1]; }
  const int64_t* begin() const { return sizes_; }
  const int64_t* end() const { return sizes_ + rank_; }
  int64_t* begin() { return sizes_; }
  int64_t* end() { return sizes_ + rank_; }

  /// Throws ShapeError beyond eight.
  void push_back(int64_t size);
  void insert(int64_t at, int64_t size);
  void erase(int64_t at);

  /// The product of the sizes (1 for none). Throws ShapeError if it overflows or a size is negative.
  int64_t numel() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.sizes_[i] != b.sizes_[i]) return false;
    return true;
  }

 private:
  int32_t rank_ = 0;
  int64_t sizes_[max_dims];
};

/// "[8, 32]".
std::string to_string(const Shape& shape);

/// Axes of a reduction: one (`sum(x, -1)`), several (`mean(x, {0, 2})`); none given means all.
/// Negative axes count from the end.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : list_{axis} {}
  Axes(int64_t axis) : list_{axis} {}
  Axes(std::initializer_list<int64_t> axes) : list_(axes) {}
  explicit Axes(const Shape& axes) : list_(axes) {}
  const Shape& list() const { return list_; }
  bool all() const { return list_.empty(); }

 private:
  Shape list_;
};

/// The shape that `a` and `b` broadcast to, as in NumPy: sizes are compared from the last; they must be
/// equal, or one of them 1 or missing. `op` names the operation in the ShapeError.
Shape broadcast_shape(const char* op, const Shape& a, const Shape& b);

/// `axis` counted from the front, for a tensor of `rank` axes. Throws IndexError outside [-rank, rank - 1].
int64_t wrap_axis(const char* op, int64_t axis, int64_t rank);

/// Row-major strides of a contiguous tensor.
Shape contiguous_strides(const Shape& shape);

}  // namespace tapegrad
