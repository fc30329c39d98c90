// Writing to a tensor in place, and what the tape needs of the operations.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/state.h"
#include "ops/elementwise.h"

namespace tapegrad::detail {

void check_writable(const char* op, const Tensor& x) {
  if (!x.defined()) fail<ValueError>(op, "the tensor is an empty handle");
  if (x.is_recorded())
    fail<AutogradError>(op,
                        "a tensor that the tape recorded cannot be changed in place. Hint: write x = x + y "
                        "in place of x += y");
  if (x.requires_grad() && is_recording())
    fail<AutogradError>(op,
                        "a leaf cannot be changed in place while a tape records: its gradient would miss the "
                        "change. Hint: do it "
                        "after the tape's scope, or under NoGrad");
  if (!x.is_contiguous())
    fail<ShapeError>(op, "a strided view cannot be changed in place. Hint: change a clone()");
}

Tensor sum_of(const Tensor& a, const Tensor& b) {
  return add(a, b);
}

void add_in_place(Tensor& a, const Tensor& b) {
  dispatch_float("add", a.dtype(),
                 [&]<class T>(T) { map2_into<T, T, T>(a, b, a, [](T x, T y) { return x + y; }); });
  ++a.impl()->storage->version;
}

bool all_finite(const Tensor& x) {
  if (!is_floating(x.dtype())) return true;
  const Tensor from = x.detach().contiguous();
  return dispatch_float("all_finite", x.dtype(), [&]<class T>(T) {
    const T* in = ptr<T>(from);
    return std::all_of(in, in + from.numel(), [](T value) { return std::isfinite(value); });
  });
}

std::string range_text(const Tensor& x) {
  if (!is_floating(x.dtype())) return "no numbers";
  const Tensor from = x.detach().contiguous();
  return dispatch_float("range", x.dtype(), [&]<class T>(T) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (int64_t i = 0; i < from.numel(); ++i) {
      const double value = double(ptr<T>(from)[i]);
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    return low > high ? std::string("no finite value") : fmt::format("[{:.6g}, {:.6g}]", low, high);
  });
}

}  // namespace tapegrad::detail
