// Views: the same memory under other shapes and strides. None copies, but reshape where no strides can say
// it.
//   reshape   dx = dy in x's shape          expand    dx = dy summed over the repeated axes
//   permute   dx = dy permuted back         transpose the permutation that swaps two
#include <optional>

#include "compute/reduction.h"
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// `shape` with its -1, if it has one, replaced by what is left over.
Shape resolve(const char* op, const Tensor& x, Shape shape) {
  int64_t unknown = -1, known = 1;
  for (int64_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && unknown < 0) {
      unknown = i;
    } else {
      if (shape[i] < 0) fail<ShapeError>(op, "sizes must be positive, or -1 once, got {}", shape);
      known *= shape[i];
    }
  }
  const Shape wanted = shape;
  if (unknown >= 0) shape[unknown] = known > 0 ? x.numel() / known : 0;
  if (shape.numel() != x.numel())
    fail<ShapeError>(op, "{} has {} elements and cannot become {}", x.shape(), x.numel(), wanted);
  return shape;
}

// Strides under which x's memory reads as `shape`: each run of axes that lie without gaps may be cut anew.
// None if the new axes do not fit the runs.
std::optional<Shape> view_strides(const Tensor& x, const Shape& shape) {
  if (x.is_contiguous() || x.numel() == 0) return contiguous_strides(shape);
  Shape strides = shape;
  int64_t sizes[Shape::max_dims], steps[Shape::max_dims];  // of the axes that matter
  int64_t rank = 0;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (x.shape()[i] == 1) continue;
    sizes[rank] = x.shape()[i];
    steps[rank++] = x.strides()[i];
  }
  int64_t to = shape.size() - 1;
  for (int64_t last = rank - 1, first; last >= 0; last = first - 1) {
    int64_t run = sizes[last];
    for (first = last; first > 0 && steps[first - 1] == sizes[first] * steps[first]; --first) run *= sizes[first - 1];
    int64_t filled = 1;
    for (; to >= 0 && (filled < run || shape[to] == 1); --to) {
      strides[to] = steps[last] * filled;
      filled *= shape[to];
    }
    if (filled != run) return {};
  }
  for (; to >= 0; --to) strides[to] = 1;
  return strides;
}

// x, or a copy of it, under another shape.
Tensor reshaped(const char* op, const Tensor& x, const Tensor& from, const Shape& shape, const Shape& strides) {
  return record(op, detail::new_view(from, shape, strides, 0), {x}, {{"shape", shape}},
                [shape = x.shape()](const Tensor& dy) -> Gradients { return {dy.reshape(shape)}; });
}

}  // namespace

Tensor Tensor::reshape(const Shape& wanted) const {
  const Shape shape = resolve("reshape", *this, wanted);
  if (const auto strides = view_strides(*this, shape)) return reshaped("reshape", *this, *this, shape, *strides);
  return reshaped("reshape", *this, detail::plain(*this), shape, contiguous_strides(shape));
}

Tensor Tensor::view(const Shape& wanted) const {
  const Shape shape = resolve("view", *this, wanted);
  const auto strides = view_strides(*this, shape);
  if (!strides)
    fail<ShapeError>("view", "no strides show {} with strides {} as {}. Hint: use reshape(), which copies",
                     this->shape(), this->strides(), shape);
  return reshaped("view", *this, *this, shape, *strides);
}

Tensor Tensor::flatten(int64_t first, int64_t last) const {
  if (dim() == 0) return reshape({1});
  const int64_t from = wrap_axis("flatten", first, dim()), to = wrap_axis("flatten", last, dim());
  if (from > to) fail<IndexError>("flatten", "the first axis must not come after the last, got {} and {}", first, last);
  Shape shape = this->shape();
  for (int64_t i = from; i < to; ++i) {
    shape[from] *= shape[from + 1];
    shape.erase(from + 1);
  }
  return reshape(shape);
}

Tensor Tensor::permute(const Shape& axes) const {
  if (axes.size() != dim()) fail<ShapeError>("permute", "one axis for each of {} is needed, got {}", shape(), axes);
  compute::axis_bits("permute", axes, dim());  // throws where one is named twice
  Shape order = axes, back = axes;
  for (int64_t i = 0; i < dim(); ++i) {
    order[i] = wrap_axis("permute", axes[i], dim());
    back[order[i]] = i;
  }
  return record("permute", compute::permute(*this, order), {*this}, {{"axes", order}},
                [back](const Tensor& dy) -> Gradients { return {dy.permute(back)}; });
}

Tensor Tensor::transpose(int64_t axis0, int64_t axis1) const {
  Shape axes = shape();
  for (int64_t i = 0; i < dim(); ++i) axes[i] = i;
  std::swap(axes[wrap_axis("transpose", axis0, dim())], axes[wrap_axis("transpose", axis1, dim())]);
  return permute(axes);
}

Tensor Tensor::expand(const Shape& wanted) const {
  Shape sizes = wanted;
  const int64_t lead = sizes.size() - dim();
  bool fits = lead >= 0;
  for (int64_t i = 0; fits && i < sizes.size(); ++i) {
    if (sizes[i] == -1 && i >= lead) sizes[i] = shape()[i - lead];
    fits = sizes[i] >= 0 && (i < lead || shape()[i - lead] == sizes[i] || shape()[i - lead] == 1);
  }
  if (!fits)
    fail<ShapeError>("expand", "axes of size 1 can be repeated, others must stay (-1 keeps a size), got {} to {}",
                     shape(), wanted);
  return record("expand", compute::broadcast_to(*this, sizes), {*this}, {{"shape", sizes}},
                [](const Tensor& dy) -> Gradients { return {dy}; });  // the tape sums over what was repeated
}

Tensor Tensor::squeeze(int64_t axis) const {
  const int64_t at = wrap_axis("squeeze", axis, dim());
  if (shape()[at] != 1) fail<ShapeError>("squeeze", "axis {} of {} must have size 1", axis, shape());
  Shape sizes = shape();
  sizes.erase(at);
  return reshape(sizes);
}

Tensor Tensor::unsqueeze(int64_t axis) const {
  const int64_t at = wrap_axis("unsqueeze", axis, dim() + 1);
  Shape sizes = shape();
  sizes.insert(at, 1);
  return reshape(sizes);
}

}  // namespace tapegrad
