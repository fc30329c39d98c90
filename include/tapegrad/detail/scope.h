// Where the program is: the modules whose forward is running on this thread, outermost first, and the time
// step. For the prefix of errors and the module path of records.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace tapegrad::detail {

/// A copy of `text` that lives as long as the program, the same one for equal texts.
const char* lasting(std::string_view text);

/// What a module keeps for its scope. The path is looked up once per parent and kept, so that entering a
/// module costs a few nanoseconds.
struct ScopeName {
  std::string name;              // "norm1"; empty for a module that belongs to no other
  std::string type;              // "LayerNorm"
  const char* parent = nullptr;  // the path under which `path` was looked up
  const char* path = nullptr;    // "encoder.norm1", lasting
};

/// The module runs from here to the end of the C++ scope.
class ModuleScope {
 public:
  explicit ModuleScope(ScopeName& module);
  ~ModuleScope();
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;

  const ScopeName* module;
  ModuleScope* outer;
  const char* path;
};

/// Notes the time step of a recurrent loop, for messages.
class StepScope {
 public:
  explicit StepScope(int64_t step);
  ~StepScope();
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;

 private:
  int64_t before_;
};

const char* current_path();  // "" outside any module
int64_t current_step();      // -1 outside a recurrent loop

}  // namespace tapegrad::detail
