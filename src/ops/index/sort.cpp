// Elements of an axis in order.
//   sort, topk    y_i = x[index_i]    dx = dy added at index_i (scatter_add)
// The order is constant around x as long as no two elements are equal; the indices are saved. Ties go by
// position.
#include "ops/elementwise.h"

namespace tapegrad {

namespace {

// gather() under the operation's own name.
ValuesAndIndices gather_as(const char* op, const Tensor& x, int64_t axis, const Tensor& indices,
                           detail::Attributes attributes) {
  const auto vjp = [axis, shape = x.shape(), indices = Saved(indices)](const Tensors& dy) -> Gradients {
    return {scatter_add(zeros(shape, {.dtype = dy[0].dtype()}), axis, indices, dy[0])};
  };
  const Tensors both = record(op, Tensors{compute::gather(x, axis, indices), indices}, {x}, attributes, vjp);
  return {both[0], both[1]};
}

}  // namespace

ValuesAndIndices sort(const Tensor& x, Axis axis, SortOptions options) {
  const int64_t at = wrap_axis("sort", axis, x.dim());
  return gather_as("sort", x, at, compute::argsort(x, at, x.shape()[at], options.descending),
                   {{"axis", at}, {"descending", options.descending}});
}

Tensor argsort(const Tensor& x, Axis axis, SortOptions options) {
  const int64_t at = wrap_axis("argsort", axis, x.dim());
  return record_nondifferentiable("argsort", compute::argsort(x, at, x.shape()[at], options.descending), {x},
                                  {{"axis", at}, {"descending", options.descending}});
}

ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t axis, TopkOptions options) {
  const int64_t at = wrap_axis("topk", axis, x.dim()), size = x.shape()[at];
  if (k < 0 || k > size)
    fail<IndexError>("topk", "k must be in [0, {}] for axis {} of {}, got {}", size, axis, x.shape(), k);
  return gather_as("topk", x, at, compute::argsort(x, at, k, options.largest),
                   {{"k", k}, {"axis", at}, {"largest", options.largest}});
}

}  // namespace tapegrad
