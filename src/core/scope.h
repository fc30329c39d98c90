// Where the program is: the modules whose forward is running on this thread, outermost first.
//
// Errors take their prefix from here and the tape the module path of a record. A path is an integer: it is
// looked up once per module and parent and then kept, so that entering a module costs a few nanoseconds.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace tapegrad {

/// What a module keeps for its scope.
struct ScopeName {
  std::string name;       // "norm1"; empty for a module that belongs to no other
  std::string type;       // "LayerNorm"
  uint32_t parent = ~0u;  // the path under which `path` was looked up
  uint32_t path = 0;
};

/// Marks that a module's forward runs, from here to the end of the C++ scope.
class ModuleScope {
 public:
  explicit ModuleScope(ScopeName& module);
  ~ModuleScope();
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;

  const ScopeName* module;
  ModuleScope* outer;
  uint32_t path;
};

/// Notes the time step of a recurrent loop in the running module, for messages; -1 when there is none.
class StepScope {
 public:
  explicit StepScope(int64_t step);
  ~StepScope();
  StepScope(const StepScope&) = delete;
  StepScope& operator=(const StepScope&) = delete;

 private:
  int64_t before_;
};

uint32_t current_path();                        // 0 outside any module
int64_t current_step();                         // -1 outside a recurrent loop
std::string path_text(uint32_t path);           // "encoder.norm1"
std::string where_prefix(std::string_view op);  // "encoder.norm1 (LayerNorm): "

}  // namespace tapegrad
