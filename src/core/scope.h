// Where the program is: the modules whose forward is running on this thread, outermost first, and the time
// step.
#pragma once
#include <tapegrad/detail/scope.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tapegrad {

uint32_t current_path();                        // 0 outside any module
int64_t current_step();                         // -1 outside a recurrent loop
std::string path_text(uint32_t path);           // "encoder.norm1"
std::string where_prefix(std::string_view op);  // "encoder.norm1 (LayerNorm): "

}  // namespace tapegrad
