// Marks which module's forward is running, for the prefix of errors and the module path of records.
#pragma once
#include <cstdint>
#include <string>

namespace tapegrad::detail {

/// What a module keeps for its scope. The path is looked up once per parent and kept, so that entering a
/// module costs a few nanoseconds.
struct ScopeName {
  std::string name;       // "norm1"; empty for a module that belongs to no other
  std::string type;       // "LayerNorm"
  uint32_t parent = ~0u;  // the path under which `path` was looked up
  uint32_t path = 0;
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
  uint32_t path;
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

}  // namespace tapegrad::detail
