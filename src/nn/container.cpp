#include <tapegrad/nn/container.h>
#include <tapegrad/ops.h>

#include "core/fail.h"

namespace tapegrad::nn {

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const detail::AnyModule& part : parts_) y = part(y);
  return y;
}

void detail::check_part(const char* type, int64_t i, int64_t size) {
  if (i < 0 || i >= size) fail<IndexError>(type, "it has {} parts, got index {}", size, i);
}
void Sequential::fail_part(int64_t i, std::string_view wanted) const {
  for (const auto& [path, part] : named_modules())
    if (path == std::to_string(i))
      fail<ValueError>("Sequential", "part {} must be a {}, got a {}", i, wanted, part.type());
  fail<ValueError>("Sequential", "part {} must be a {}", i, wanted);
}

Tensor Residual::forward(const Tensor& x) { return x + module_(x); }

}  // namespace tapegrad::nn
