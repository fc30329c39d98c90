// fail<ShapeError>("matmul", "inner sizes must match, got {} x {}", a, b): the one way to throw.
#pragma once
#include <fmt/format.h>
#include <tapegrad/error.h>
#include <tapegrad/format.h>

#include <string_view>

namespace tapegrad {

/// "encoder.norm1 (LayerNorm): ", where the program is. Inside a module it is the module's path and type, and
/// the operation is named too unless the module is called like it (LayerNorm and layer_norm).
std::string where_prefix(std::string_view op);

/// Throws E with the text "where: message".
template <class E, class... Args>
[[noreturn]] void fail(std::string_view op, fmt::format_string<Args...> text, Args&&... args) {
  throw E(where_prefix(op) + fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace tapegrad
