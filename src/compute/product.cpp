#include <algorithm>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "kernels/gemm/gemm.h"

namespace tapegrad::compute {

namespace {

// A product of this many multiplications takes some 20 microseconds: smaller ones share a chunk of work.
constexpr int64_t kBatchGrain = 1 << 19;

// The last two axes as gemm takes them: rows ld elements apart, or the same of the transpose.
struct Operand {
  Tensor x;
  bool trans = false;
  int64_t ld = 1;
};

bool as_it_lies(Operand& operand) {
  const Tensor& x = operand.x;
  for (bool trans : {false, true}) {
    const int64_t across = x.dim() - (trans ? 2 : 1), down = x.dim() - (trans ? 1 : 2);
    const int64_t rows = x.shape()[down], columns = std::max<int64_t>(x.shape()[across], 1);
    // An axis of size one may have any stride.
    if (x.strides()[across] != 1 && columns != 1) continue;
    if (rows > 1 && x.strides()[down] < columns) continue;
    operand.trans = trans;
    operand.ld = rows > 1 ? x.strides()[down] : columns;
    return true;
  }
  return false;
}

Operand operand_of(const char* op, const Tensor& x) {
  Operand operand{x};
  if (!as_it_lies(operand)) {
    operand.x = detail::plain(x);
    as_it_lies(operand);
  }
  if (!kernels::fits_blas(operand.ld))
    fail<ShapeError>(op, "rows must lie fewer than 2^31 elements apart, got strides {}", operand.x.strides());
  return operand;
}

}  // namespace

int64_t batch_offset(const Tensor& x, const Shape& shape, int64_t index) {
  int64_t offset = 0;
  const int64_t lead = shape.size() - x.dim();
  for (int64_t axis = shape.size() - 3; axis >= 0; --axis) {
    const int64_t at = index % shape[axis];
    index /= shape[axis];
    if (axis >= lead && x.shape()[axis - lead] != 1) offset += at * x.strides()[axis - lead];
  }
  return offset;
}

void multiply(const char* op, const Tensor& a, const Tensor& b, double beta, const Tensor& y) {
  const int64_t rank = y.dim();
  const int64_t m = y.shape()[rank - 2], n = y.shape()[rank - 1], k = a.shape()[a.dim() - 1];
  for (int64_t size : {m, n, k})
    if (!kernels::fits_blas(size)) fail<ShapeError>(op, "sizes must be less than 2^31, got {}", size);
  if (y.numel() == 0) return;
  const Operand left = operand_of(op, a), right = operand_of(op, b);
  detail::dispatch_float(op, y.dtype(), [&]<class T>(T) {
    const auto run = [&](int64_t batch) {
      kernels::gemm<T>(left.trans, right.trans, m, n, k, T(1),
                       detail::ptr<T>(left.x) + batch_offset(left.x, y.shape(), batch), left.ld,
                       detail::ptr<T>(right.x) + batch_offset(right.x, y.shape(), batch), right.ld, T(beta),
                       detail::mutable_ptr<T>(y) + batch * m * n, n);
    };
    const int64_t batches = y.numel() / (m * n);
    if (batches == 1) return run(0);
    const double work = std::max(double(m) * double(n) * double(k), 1.0);
    parallel_rows(batches, std::max<int64_t>(1, int64_t(kBatchGrain / work)), [&](int64_t begin, int64_t end) {
      for (int64_t batch = begin; batch < end; ++batch) run(batch);
    });
  });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor y = detail::new_tensor({x.size(0), weight.size(0)}, x.dtype());
  // y begins as rows of the bias, and the product is added on top: no pass of its own.
  if (bias.defined()) copy_into(bias, y);
  multiply("linear", x, transpose(weight, 0, 1), bias.defined() ? 1 : 0, y);
  return y;
}

}  // namespace tapegrad::compute
