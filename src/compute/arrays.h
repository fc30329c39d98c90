// The array library under the tape: tensors in, tensors out, nothing recorded. Functions of elements stand in
// elementwise.h, sums and their like in reduction.h, the kernels of fused operations in fused.h.
#pragma once
#include <tapegrad/tensor.h>

#include <optional>
#include <string>

#include "kernels/dropout.h"

namespace tapegrad::compute {

// ---- Views and copies: other axes, another type, parts put together.

/// A view of x with its axes in the order `axes`.
Tensor permute(const Tensor& x, const Shape& axes);
/// A view of x with two axes in each other's place.
Tensor transpose(const Tensor& x, int64_t axis0, int64_t axis1);
/// A view of x repeated to `shape`, which it must broadcast to.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// The values of x in another type. Throws ValueError for a number that int64 does not hold.
Tensor convert(const Tensor& x, Dtype dtype);

/// y = x, which broadcasts to it and may be a view of the same memory.
void copy_into(const Tensor& x, const Tensor& y);

/// x at entries start, start + step, ... of an axis of the contiguous y.
void put(const Tensor& x, int64_t axis, const Tensor& y, int64_t start, int64_t step = 1);

/// The elements [i][j] of each matrix with j - i <= diagonal (lower) or >= diagonal, zero elsewhere.
Tensor triangle(const Tensor& x, int64_t diagonal, bool lower);

/// y = a where the condition, a mask, holds, else b; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// ---- Arithmetic, with broadcasting.

struct Arithmetic {
  const char* name;
  /// y = a op b. y is contiguous, of the shape that a and b broadcast to, and all have one dtype; y may be a or b, but
  /// must not overlap one in another way.
  void (*into)(const Tensor& a, const Tensor& b, const Tensor& y);
  /// The same in a new tensor.
  Tensor operator()(const Tensor& a, const Tensor& b) const;
};
extern const Arithmetic add, sub, mul, div;

/// a += b, as a change of a.
void accumulate(Tensor& a, const Tensor& b);

/// x *= factor, and x = min(max(x, -limit), limit) where NaN stays NaN, for a contiguous floating x.
void scale_in_place(Tensor& x, double factor);
void clamp_in_place(Tensor& x, double limit);

// ---- Matrix products, of tensors of any strides.

/// y = a b + beta y for the last two axes, batch by batch; a's and b's leading axes broadcast to y's. y is
/// contiguous. Throws ShapeError if a size does not fit BLAS.
void multiply(const char* op, const Tensor& a, const Tensor& b, double beta, const Tensor& y);

/// y = x weight^T + bias for x [N, in], weight [out, in] and bias [out], which may be undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

/// How many elements behind x's first one the matrix `index` of a batch begins, in row-major order of the leading axes of
/// `shape`, to which those of x broadcast.
int64_t batch_offset(const Tensor& x, const Shape& shape, int64_t index);

// ---- Systems of equations, in float64: square matrices in the last two axes, batch by batch.

/// x with a x = b, b [..., n, k]. `singular` becomes the first matrix with a pivot of 0, or -1; its x is NaN.
Tensor solve(const Tensor& a, const Tensor& b, int64_t* singular);
/// The determinants.
Tensor det(const Tensor& a);
/// L with a = L L^T, from the lower triangle of a; with NaN where that is not positive definite.
Tensor cholesky(const Tensor& a);

// ---- Elements by their indices, which were checked. Sums are made by one thread, in the order of the indices.

/// The position in row-major order of the first index outside [0, size), or -1.
int64_t first_outside(const Tensor& index, int64_t size);
/// Throws DtypeError unless `index` is int64, IndexError for the first element outside [0, size).
void check_indices(const char* op, const Tensor& index, int64_t size);

/// y[o, i, r] = x[o, index[o, i, r], r], the axis in the middle.
Tensor gather(const Tensor& x, int64_t axis, const Tensor& index);
/// y = x, and y[o, index[o, i, r], r] += source[o, i, r].
Tensor scatter_add(const Tensor& x, int64_t axis, const Tensor& index, const Tensor& source);

/// y[o, i, r] = x[o, index[i], r], and zeros where index[i] is `zero` (-1: nowhere); the shape of `index` takes the place
/// of the axis.
Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index, int64_t zero = -1);
/// y[o, index[i], r] += source[o, i, r] in the contiguous y, but where index[i] is `skipped`.
void index_add(const Tensor& source, int64_t axis, const Tensor& index, const Tensor& y, int64_t skipped = -1);

/// y[c] = the largest i with index[i] = c, or -1; c in [0, size).
Tensor last_positions(const Tensor& index, int64_t size);

/// y[n, s] = the first k with cumulative[n, k] > u[n, s] cumulative[n, last]: an index drawn by u, uniform in [0, 1). Both
/// float64, of which the last of a row is positive.
Tensor draw(const Tensor& cumulative, const Tensor& u);

/// y[..., c] = 1 where c is the index, else 0.
Tensor one_hot(const Tensor& index, int64_t num_classes, Dtype dtype);

/// Where the first `count` elements along an axis stand when it is sorted; ties go by position, NaN is the
/// largest.
Tensor argsort(const Tensor& x, int64_t axis, int64_t count, bool descending);

// ---- What losses ask of their targets. Labels are contiguous.

/// Throws IndexError for the first of the labels that is neither in [0, classes) nor ignore_index.
void check_labels(const char* op, const Tensor& labels, int64_t classes, std::optional<int64_t> ignore_index);
/// Throws ValueError for the first element outside [0, 1].
void check_probabilities(const char* op, const char* name, const Tensor& x);
/// Throws ValueError for the first element that is neither 1 nor -1.
void check_signs(const char* op, const Tensor& target);

/// The sum of the weights of the labels that are not ignored: their number where `weight` is undefined.
double label_count(const Tensor& labels, const Tensor& weight, int64_t ignore_index);

/// q [N, C], like the scores: (1 - smoothing) w at the label plus w smoothing / C everywhere, w the class's weight, 1
/// where `weight` is undefined; rows of zeros where the label is ignored.
Tensor label_weights(const Tensor& scores, const Tensor& labels, const Tensor& weight, int64_t ignore_index,
                     double smoothing);

// ---- A random mask that is not kept: it is a function of a key and a counter.

using kernels::DropoutMask;
/// How many counters a mask of n elements takes.
uint64_t dropout_counters(int64_t n);
/// y = x scale where the mask keeps an element, else 0.
Tensor dropout(const Tensor& x, const DropoutMask& mask);

// ---- A look at the numbers of a tensor as a whole.

/// Whether an element of the mask x is `value`.
bool contains(const Tensor& x, bool value);
/// Whether no element is NaN or infinite; true for int64 and boolean.
bool all_finite(const Tensor& x);
/// How many elements are NaN.
int64_t nan_count(const Tensor& x);
/// "[-1.2, 3.4]", the range of the finite values.
std::string range_text(const Tensor& x);
/// The sum of the squares of a floating tensor, added up in float64: the same for any number of threads.
double sum_of_squares(const Tensor& x);

}  // namespace tapegrad::compute
